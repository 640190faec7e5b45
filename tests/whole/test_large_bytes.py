"""Large blobs pass through a server without staying in its memory."""

import httpx
from blake3 import blake3

from serving import running_server

SIZE = 192 * 2**20
MARGIN = 48 * 2**20  #: pieces under way, and what an allocator keeps


def peak_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def pieces():
    for number in range(SIZE // 2**20):
        yield number.to_bytes(4, "big") * 2**18


def test_a_server_moves_large_blobs_in_and_out_with_flat_memory(tmp_path):
    hasher = blake3()
    for piece in pieces():
        hasher.update(piece)
    digest = hasher.hexdigest()
    with running_server(tmp_path / "state", "--slots", "1") as server:
        before = peak_bytes(server.process.pid)
        with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as http:
            told = http.put(f"/api/v1/blobs/{digest}", content=pieces())
            assert told.json() == {"digest": digest, "size_bytes": SIZE}
            for _ in range(2):
                received = blake3()
                with http.stream("GET", f"/api/v1/blobs/{digest}") as answer:
                    for piece in answer.iter_raw():
                        received.update(piece)
                assert received.hexdigest() == digest
        assert peak_bytes(server.process.pid) - before < MARGIN
