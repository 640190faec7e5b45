"""Prefect's server on loopback, with SQLite, and nothing that it would tell the outside."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PATIENCE_SECONDS = 120


def settings(home: str, port: int) -> dict[str, str]:
    """Environment variables of the server and its clients; logs stay where they are made."""
    return {
        "PREFECT_HOME": home,
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


@contextlib.contextmanager
def running_server(home: str) -> Iterator[None]:
    """A server while inside; what imports prefect afterwards finds it."""
    port = free_port()
    os.environ.update(settings(home, port))
    prefect = Path(sys.executable).with_name("prefect")
    command = [str(prefect), "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/health", process)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        if process.poll() is not None:
            raise RuntimeError(f"prefect server ended with {process.returncode}")
        time.sleep(0.1)
    raise TimeoutError("prefect server does not answer")
