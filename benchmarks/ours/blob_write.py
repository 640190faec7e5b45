"""A 512 MB blob through the store, to a bare write() of the same bytes, turn about."""

import os
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.timing import say, seconds
from treadle.storage.blobs.local import LocalBlobs

SIZE = 512 * 1024 * 1024


def write_bare(path: Path, data: memoryview) -> None:
    with path.open("wb", buffering=0) as file:
        while data:
            data = data[file.write(data) :]


def ratio(store: LocalBlobs, folder: Path, data: memoryview) -> float:
    """Time of the bare write over that of the store: its share of the bare speed."""
    bare = seconds(lambda: write_bare(folder / "bare", data))
    os.unlink(folder / "bare")
    digests: list[str] = []
    ours = seconds(lambda: digests.append(store.put([data])[0]))
    store.delete(digests[0])
    return bare / ours


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    store = LocalBlobs(folder / "blobs")
    data = np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8)
    ratios = []
    for number in range(6):
        data[:8] = number  # a digest that is not stored yet
        ratios.append(ratio(store, folder, memoryview(data)))
    say(median(ratios[1:]), ratios[1:])


main()
