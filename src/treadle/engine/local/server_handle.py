"""The owner's side of the fork server: starts it, asks it, hears it, notices its end."""

import array
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from treadle.engine.local.process_tree import MARK_VARIABLE, SERVER_VARIABLE
from treadle.engine.local.server_program import ServerProgram
from treadle.model.ids import new_id

_END_SECONDS = 15.0
_WORDS_BYTES = 8192


class ForkServerHandle:
    """One fork server process. on_message is called for each thing it tells, on_lost at its end.

    ready: it has said that it can fork. mark: carried by all its processes, as is `name`, which no
    other fork server has.
    """

    def __init__(
        self,
        program: ServerProgram,
        mark: str,
        on_message: Callable[[list[Any]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._on_message, self._on_lost = on_message, on_lost
        self.name, self.ready = new_id("fork"), False
        self._loop = asyncio.get_running_loop()
        self._control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        self._closed = False
        self._lock = threading.Lock()
        self.last_words, self.exit_code = "", 0  #: when it has ended
        self._errors = tempfile.TemporaryFile()
        try:
            self._process = self._exec(program, mark, far)
        except OSError:
            self._control.close()
            self._errors.close()
            raise
        finally:
            far.close()
        self._loop.add_reader(self._control.fileno(), self._readable)

    def _exec(
        self, program: ServerProgram, mark: str, far: socket.socket
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            program.arguments(far.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if "TREADLE_DEBUG" in os.environ else self._errors,
            env={**program.environ, MARK_VARIABLE: mark, SERVER_VARIABLE: self.name},
            pass_fds=[far.fileno()],
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, *request: Any, fds: Sequence[int] = ()) -> None:
        """Send a request; what does not fit now is sent later, in order. fds are copied."""
        self._unsent.append((json.dumps(request).encode(), _copies(fds)))
        if len(self._unsent) == 1:
            self._send()
            if self._unsent and not self._closed:
                self._loop.add_writer(self._control.fileno(), self._send_more)

    def _send(self) -> None:
        while self._unsent:
            data, fds = self._unsent[0]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                self._control.sendmsg([data], rights)
            except BlockingIOError:
                return
            except OSError:  # it is gone: its end is noticed by the reader
                pass
            self._unsent.popleft()
            for fd in fds:
                os.close(fd)

    def _send_more(self) -> None:
        self._send()
        if not self._unsent:
            self._loop.remove_writer(self._control.fileno())

    def _readable(self) -> None:
        try:
            data = self._control.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            message = json.loads(data)
            self.ready = self.ready or message[0] == "ready"
            self._on_message(message)
        else:
            self._close()
            self._on_lost()

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._control.fileno())
        self._loop.remove_writer(self._control.fileno())
        with contextlib.suppress(OSError):
            # A child forked by the owner's own program may hold a copy, which closing leaves open.
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        for _, fds in self._unsent:
            for fd in fds:
                os.close(fd)
        self._unsent.clear()

    async def end(self) -> None:
        """Have it end everything, and wait until it has ended itself."""
        self._close()
        await self._loop.run_in_executor(None, self._wait)

    def _wait(self) -> None:
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._lock:
            self._keep_last_words()

    def _keep_last_words(self) -> None:
        if not self._errors.closed:
            self.last_words, self.exit_code = self._said(), self._process.returncode
            self._errors.close()

    def kill(self) -> None:
        """End it in the hard way; on_lost follows."""
        self._process.kill()

    def _said(self) -> str:
        """The end of what it printed on standard error."""
        size = os.fstat(self._errors.fileno()).st_size
        data = os.pread(self._errors.fileno(), _WORDS_BYTES, max(0, size - _WORDS_BYTES))
        return data.decode("utf-8", "replace")


def _copies(fds: Sequence[int]) -> list[int]:
    """Duplicates of all of them, or an OSError and none."""
    with contextlib.ExitStack() as opened:
        copies = []
        for fd in fds:
            copies.append(os.dup(fd))
            opened.callback(os.close, copies[-1])
        opened.pop_all()
    return copies
