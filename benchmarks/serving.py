"""A server in a process of its own, for the rows that measure what is served."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One that answers. token: the owner's."""

    url: str
    token: str
    process: subprocess.Popen[str]


@contextlib.contextmanager
def running_server(data_dir: Path, *options: str) -> Iterator[Server]:
    """`treadle up` with these options, at a free port, while inside."""
    command = [sys.executable, "-m", "treadle", "up", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(data_dir), *options],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={name: text for name, text in os.environ.items() if not name.startswith("TREADLE_")},
    )
    with process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())
            token = Path(address["token_file"]).read_text().strip()
            yield Server(url=address["url"], token=token, process=process)
        finally:
            process.terminate()
