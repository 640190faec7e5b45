"""A command on a terminal of its own."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PATIENCE_SECONDS = 60


class Terminal:
    """What the command wrote so far, and keys for it."""

    def __init__(self, command, *, rows=30, columns=100, **options) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **options,
        )  # fmt: skip
        os.close(theirs)
        self.raw = ""

    @property
    def text(self) -> str:
        """All that was written, without what moves the cursor and colours."""
        return CONTROL.sub("", self.raw)

    def read_until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            if not self._read(deadline):
                assert text in self.text, self.text

    def echoes(self) -> bool:
        """What is typed is shown."""
        return bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read(time.monotonic() + PATIENCE_SECONDS):
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def hang_up(self) -> None:
        """Close the terminal, as when its window is closed."""
        os.close(self._ours)
        self._ours = -1

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._ours >= 0:
            os.close(self._ours)


@contextlib.contextmanager
def terminal(treadle, *arguments: str, **options) -> Iterator[Terminal]:
    """A treadle command on a new terminal."""
    treadle.variables.setdefault("TERM", "xterm-256color")
    command = treadle.command(*arguments)
    made = Terminal(command, cwd=treadle.folder, env=treadle.environment, **options)
    try:
        yield made
    finally:
        made.close()
