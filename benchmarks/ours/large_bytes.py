"""What curl moves of 1 GB, `down` from or `up` to the server, to what it moves from or to nginx.

They take turns on the same loopback. Before each upload what the one before left is removed. The
note `grown_bytes`: by how much the server's highest resident memory grew.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from blake3 import blake3

from benchmarks.peers.nginx_server import serving
from benchmarks.serving import Server, running_server
from benchmarks.timing import say

SIZE_MIB = int(os.environ.get("SIZE_MIB", "1024"))
TIMES = int(os.environ.get("TIMES", "5"))


def made(path: Path) -> str:
    """Write a file of that size; its digest."""
    hasher, block = blake3(), os.urandom(2**20 - 8)
    with path.open("wb") as file:
        for number in range(SIZE_MIB):
            piece = number.to_bytes(8, "big") + block
            hasher.update(piece)
            file.write(piece)
    return hasher.hexdigest()


def curl(*arguments: str) -> float:
    """Seconds, as curl measured them."""
    command = ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{time_total}", *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_bytes(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def main(direction: str, folder: Path) -> None:
    source = folder / "source"
    digest = made(source)
    blob = folder / "state" / "blobs" / digest[:2] / digest
    copy = folder / "nginx" / "files" / "copy"
    with (
        running_server(folder / "state", "--slots", "1") as server,
        serving(folder / "nginx") as other,
    ):
        here = f"{server.url}/api/v1/blobs/{digest}"
        token = ("-H", f"Authorization: Bearer {server.token}")

        def up() -> tuple[float, float]:
            blob.unlink(missing_ok=True)
            copy.unlink(missing_ok=True)
            ours = curl(*token, "-T", str(source), here)
            return ours, curl("-T", str(source), f"{other}/copy")

        def down() -> tuple[float, float]:
            return curl(*token, here), curl(f"{other}/copy")

        before = peak_bytes(server)
        up()  # so that there is something to send, and the disk is awake
        turns = [up() if direction == "up" else down() for _ in range(TIMES)]
        grown = peak_bytes(server) - before
    ours, theirs = (median(column) for column in zip(*turns, strict=True))
    notes = {"ours_seconds": ours, "nginx_seconds": theirs, "grown_bytes": grown}
    say(theirs / ours, [other / own for own, other in turns], **notes)


with tempfile.TemporaryDirectory() as scratch:
    main(sys.argv[1], Path(scratch))
