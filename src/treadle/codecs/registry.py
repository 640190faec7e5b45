"""All codecs, in the order in which they are asked whether they fit a value."""

from __future__ import annotations

from treadle.codecs import arrow, json, npy, path, pickle5
from treadle.codecs.encoded import Codec

CODECS: tuple[Codec, ...] = (
    json.CODEC,
    path.FILE,
    path.DIRECTORY,
    npy.CODEC,
    *arrow.CODECS,
    pickle5.CODEC,  # takes all that can be stored at all
)
BY_NAME = {codec.name: codec for codec in CODECS}
