"""Owners in processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

OWNER = """
import sys
sys.path[:0] = {paths!r}
import flows, treadle
with treadle.local(data_dir={data_dir!r}, slots=2) as client:
    print("ready", client.link.is_owner, flush=True)
    for line in sys.stdin:
        exec(line)
        print("done", flush=True)
print("closed", flush=True)
"""


class Other:
    """Another Python process with a client of the data directory; it does what it is told."""

    def __init__(self, data_dir: Path) -> None:
        tests = str(Path(__file__).parents[1])
        code = OWNER.format(paths=[tests], data_dir=str(data_dir))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.is_owner = self.line() == "ready True"

    def line(self) -> str:
        return self.process.stdout.readline().strip()

    def begin(self, code: str) -> None:
        self.process.stdin.write(code + "\n")
        self.process.stdin.flush()

    def do(self, code: str) -> list[str]:
        """Carry the line out; what it printed."""
        self.begin(code)
        return self.until("done")

    def until(self, last: str) -> list[str]:
        said = []
        while (line := self.line()) != last:
            assert line or self.process.poll() is None, said
            said.append(line)
        return said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> int:
        """Let it end in good order; its exit code."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait()
        self.process.stdout.close()
        return code


@pytest.fixture
def other():
    """Starts other processes; what is left of them is ended."""
    made = []

    def start(data_dir):
        made.append(Other(data_dir))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.send_signal(signal.SIGKILL)
        each.close()


@pytest.fixture
def gate(tmp_path):
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path
