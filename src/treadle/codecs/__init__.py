"""Values to bytes and back; a codec is used only when exact.

| codec          | values                                | media type                          |
|----------------|---------------------------------------|-------------------------------------|
| `json`         | plain data, exactly                   | application/json                    |
| `path:NAME`    | a pathlib.Path where a file lies      | by the name                         |
| `path.tar:NAME`| a pathlib.Path where a directory lies | application/x-tar                   |
| `npy`          | numpy.ndarray without objects         | application/x-npy                   |
| `arrow`        | pyarrow.Table                         | application/vnd.apache.arrow.stream |
| `arrow.polars` | polars.DataFrame                      | the same                            |
| `arrow.pandas` | pandas.DataFrame that Arrow keeps     | the same                            |
| `pickle5`      | all else that cloudpickle can store   | application/vnd.treadle.pickle5     |

Importing this costs the standard library only; a library is imported when one of its values
comes by. Decoding `pickle5` runs code of whoever wrote it: never do so in a server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from treadle.codecs.encoded import Codec, Encoded, Part
from treadle.codecs.registry import BY_NAME, CODECS
from treadle.errors import CodecError

__all__ = ["Codec", "Encoded", "Part", "decode", "encode"]


def encode(value: Any) -> Encoded:
    """The value as bytes. Raises CodecError if there is no way to store it."""
    for codec in CODECS:
        encoded = codec.encode(value)
        if encoded is not None:
            return encoded
    raise CodecError(f"no codec takes a value of type {type(value).__qualname__}.")


def decode(codec: str, data: memoryview, *, directory: Path | None = None) -> Any:
    """The value back, exactly as it was; arrays lie on `data` itself where it is writable.

    directory: where files and directories are put; needed for the `path` codecs only.
    Raises CodecError.
    """
    found = BY_NAME.get(codec.partition(":")[0])
    if found is None:
        raise CodecError(
            f"there is no codec named {codec!r} here.",
            hint="The value was stored by a newer Treadle, or by one with more extras; "
            "read it with that.",
        )
    return found.decode(codec, data, directory)
