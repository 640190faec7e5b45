"""A Redis server of one's own, on a free port, with the append-only file on."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

MISSING = "redis-server is not installed: sudo apt-get install redis-server"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_answer(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("redis-server ended as soon as it was started")
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.02)
    raise SystemExit("redis-server did not answer within 10 seconds")


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Yield the URL of a durable Redis: it writes every change down, and syncs once a second.

    That is what Treadle's default durability gives: nothing is lost when a process is killed.
    """
    program = shutil.which("redis-server") or shutil.which("/usr/bin/redis-server")
    if program is None:
        raise SystemExit(MISSING)
    with tempfile.TemporaryDirectory(prefix="benchmark-redis-") as folder:
        port = free_port()
        options = ["--port", str(port), "--dir", folder, "--save", ""]
        options += ["--appendonly", "yes", "--appendfsync", "everysec"]
        process = subprocess.Popen(
            [program, "--bind", "127.0.0.1", *options], stdout=subprocess.DEVNULL
        )
        try:
            await_answer(port, process)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()
