"""Whether two values are the same in type and content, which == does not say.

NaN is the same as NaN, -0.0 is not 0.0, True is not 1, and an int is no subclass of int.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from treadle import codecs


def there_and_back(value: Any, directory: Path | None = None) -> Any:
    """Encode, lay out in memory as a private mapping would, decode."""
    encoded = codecs.encode(value)
    data = encoded.to_bytes()
    assert len(data) == encoded.size_bytes
    assert data == encoded.to_bytes(), "parts can be iterated again"
    return codecs.decode(encoded.codec, memoryview(bytearray(data)), directory=directory)


def codec_of(value: Any) -> str:
    return codecs.encode(value).codec


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float):
        return repr(float(a)) == repr(float(b))
    if isinstance(a, complex | datetime):  # -0.0 == 0.0, and instants are equal in any zone
        return repr(a) == repr(b)
    if isinstance(a, np.ndarray):
        return same_array(a, b)
    for kind, compare in ((pd.DataFrame, same_pandas), (pl.DataFrame, same_polars)):
        if isinstance(a, kind):
            return compare(a, b)
    if isinstance(a, pa.Table):
        return bool(a.schema.equals(b.schema, check_metadata=True) and a.equals(b))
    return bool(a == b)


def same_array(a: np.ndarray, b: np.ndarray) -> bool:
    if (a.dtype, a.shape, a.flags.fnc) != (b.dtype, b.shape, b.flags.fnc):
        return False
    if a.dtype.isalignedstruct != b.dtype.isalignedstruct:
        return False
    if a.dtype.hasobject:
        return same(a.tolist(), b.tolist())
    return a.tobytes() == b.tobytes()


def same_pandas(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    pd.testing.assert_frame_equal(
        a, b, check_exact=True, check_freq=True, check_flags=True, check_column_type="exact"
    )
    return bool(
        type(a.index) is type(b.index)
        and same(a.index.name, b.index.name)
        and same(a.columns.name, b.columns.name)
        and same(list(a.columns), list(b.columns))
        and same(a.attrs, b.attrs)
        and list(a.dtypes) == list(b.dtypes)
        and all(
            same(list(x), list(y))
            for (_, x), (_, y) in zip(a.items(), b.items(), strict=True)
            if x.dtype == object
        )
    )


def same_polars(a: pl.DataFrame, b: pl.DataFrame) -> bool:
    return a.schema == b.schema and a.equals(b, null_equal=True)
