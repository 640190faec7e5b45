"""The owner's side of the fork server: starts it, asks it, hears it, notices its end."""

import array
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from treadle.engine.local.process_tree import MARK_VARIABLE

_PACKAGE_PARENT = str(Path(__file__).parents[3])
_PROGRAM = (
    "import gc, sys\n"
    "gc.disable()\n"  # while importing, it only costs time
    "sys.path += [folder for folder in sys.argv[3:] if folder not in sys.path]\n"
    "from treadle.engine.local.fork_server import main\n"
    "main()\n"
)
_END_SECONDS = 15.0


class ForkServerHandle:
    """One fork server process. on_message is called for each thing it tells, on_lost at its end."""

    def __init__(
        self, mark: str, on_message: Callable[[list[Any]], None], on_lost: Callable[[], None]
    ) -> None:
        self._on_message, self._on_lost = on_message, on_lost
        self._loop = asyncio.get_running_loop()
        self._control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        self._closed = False
        with far:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(far.fileno()), str(os.getpid()),
                 _PACKAGE_PARENT, *_installed()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if "TREADLE_DEBUG" in os.environ else subprocess.DEVNULL,
                env={**os.environ, MARK_VARIABLE: mark},
                pass_fds=[far.fileno()],
                start_new_session=True,
            )  # fmt: skip
        self._loop.add_reader(self._control.fileno(), self._readable)

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
            self._on_message(json.loads(data))
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


def _copies(fds: Sequence[int]) -> list[int]:
    """Duplicates of all of them, or an OSError and none."""
    with contextlib.ExitStack() as opened:
        copies = []
        for fd in fds:
            copies.append(os.dup(fd))
            opened.callback(os.close, copies[-1])
        opened.pop_all()
    return copies


def _installed() -> list[str]:
    """Folders of installed packages. The owner may have some that its interpreter does not know of
    by itself: IPython adds those of the active virtual environment."""
    return [path for path in sys.path if {"site-packages", "dist-packages"} & set(Path(path).parts)]
