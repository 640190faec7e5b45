"""A real server in a process of its own, for the tests of every room.

    from serving import running_server

    with running_server(tmp_path / "state", "--slots", "2", STOP_GRACE="1s") as server:
        httpx.get(f"{server.url}/api/v1/runs", headers=server.headers)

It listens at a free port of 127.0.0.1, and is told to stop, and killed if it does not, at the end.
Options are those of `treadle up`; settings given by name are set as TREADLE_<NAME>. The server's
standard error goes to the file `server.log` beside the data directory.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One that answers. token: the owner's."""

    url: str
    token: str
    process: subprocess.Popen[str]
    data_dir: Path
    log: Path  #: what it writes on standard error

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def socket(self) -> Path:
        """The owner's."""
        return Path(json.loads((self.data_dir / "owner.json").read_text())["socket"])

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(PATIENCE_SECONDS)


def start_server(data_dir: Path, *options: str, **settings: str) -> Server:
    """Start one and wait until it is ready; the caller ends it. Raises AssertionError if it ends
    before it is ready, with what it said."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    log = data_dir.parent / f"{data_dir.name}.server.log"
    command = [sys.executable, "-m", "treadle", "up", "--json", "--data-dir", str(data_dir)]
    with log.open("a") as errors:
        process = subprocess.Popen(
            [*command, *([] if "--port" in options else ["--port", "0"]), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(settings),
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("{") or "url" not in line:
        process.wait(PATIENCE_SECONDS)
        process.stdout.close()
        raise AssertionError(f"the server did not start: {line}{log.read_text()}")
    address = json.loads(line)
    token = Path(address["token_file"]).read_text().strip()
    return Server(url=address["url"], token=token, process=process, data_dir=data_dir, log=log)


@contextlib.contextmanager
def running_server(data_dir: Path, *options: str, **settings: str) -> Iterator[Server]:
    """A server while inside."""
    server = start_server(data_dir, *options, **settings)
    try:
        yield server
    finally:
        stop_server(server)


def stop_server(server: Server) -> None:
    """End it, if it still lives."""
    with contextlib.suppress(ProcessLookupError):
        server.process.terminate()
    try:
        server.process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
        raise
    finally:
        if server.process.stdout is not None:
            server.process.stdout.close()


def environment(settings: dict[str, str]) -> dict[str, str]:
    """Ours, without what would turn the server elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TREADLE_") or name == "TREADLE_DEBUG"
    }
    return kept | {f"TREADLE_{name.upper()}": value for name, value in settings.items()}
