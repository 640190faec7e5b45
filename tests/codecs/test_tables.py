"""Tables: Arrow IPC where it keeps everything, pickle where it does not."""

import io
import mmap
import subprocess
import sys
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from exactly import codec_of, same, there_and_back
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as pdst

from treadle import codecs
from treadle.errors import CodecError

columns = pdst.data_frames(
    [
        pdst.column("int", dtype="int8"),
        pdst.column("float", dtype="float32", elements=st.floats(width=32)),
        pdst.column("time", dtype="datetime64[ns]"),
        pdst.column("bool", dtype=bool),
        pdst.column(
            "text", elements=st.text(st.characters(exclude_categories=["Cs"])), dtype="str"
        ),
    ],
    index=pdst.range_indexes(max_size=10) | pdst.indexes(dtype="int64", max_size=10),
)


@settings(max_examples=50)
@given(columns)
def test_pandas_tables_come_back_exactly(frame: pd.DataFrame) -> None:
    assert codec_of(frame) == "arrow.pandas"
    assert same(there_and_back(frame), frame)


def frame(values: Any = (1, 2), **options: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": values}, **options)


def with_attrs(attrs: dict[Any, Any]) -> pd.DataFrame:
    made = frame()
    made.attrs = attrs
    return made


@pytest.mark.parametrize(
    "table",
    [
        frame(),
        frame([]),
        frame([1.5, None]),
        frame(["x", None]),
        frame(pd.Categorical(["x", "y"], ["y", "x", "z"], ordered=True)),
        frame(pd.Categorical([3, None])),
        frame(pd.array([1, None], "Int64")),
        frame(pd.array([True, None], "boolean")),
        frame(pd.array(["s", None], "string")),
        frame(pd.array([1, None], "int32[pyarrow]")),
        frame(pd.to_datetime(["2026-01-02", None])),
        frame(pd.to_datetime(["2026-01-02", None]).tz_localize("Europe/Berlin")),
        frame(pd.to_timedelta([1, None])),
        frame(np.array(["2026"], "M8[s]")),
        frame(np.array([1, 2], "u1")),
        frame(index=["x", "y"]),
        frame(index=pd.Index([3, 1], name="id")),
        frame(index=pd.Index([0.5, np.nan])),
        frame(index=pd.RangeIndex(10, 4, -3, name="r")),
        frame(index=pd.to_datetime(["2026-01-02", "2025-01-01"])),
        frame(index=pd.CategoricalIndex(["x", "y"], name="c")),
        frame(index=pd.Index([1, 1], name="a")),
        frame().rename_axis(columns="names"),
        with_attrs({"unit": "m", "n": [1, {"x": None}]}),
        pd.concat([frame(), frame([5])]),
        frame(range(100))[10:90:7],
    ],
    ids=lambda table: f"{table.dtypes.iloc[0]} by {type(table.index).__name__}",
)
def test_arrow_holds_pandas_tables_that_it_keeps(table: pd.DataFrame) -> None:
    assert codec_of(table) == "arrow.pandas"
    assert same(there_and_back(table), table)


class Special(pd.DataFrame):
    pass


@pytest.mark.parametrize(
    "table",
    [
        frame([1, "x"]),
        frame([b"x", None]),
        frame([date(2026, 1, 2)]),
        frame([[1], [2]]),
        frame([Decimal(1)]),
        frame([1j, 2]),
        frame(pd.to_datetime(["2026-01-02"]).tz_localize("UTC")),  # would be another class of UTC
        frame(np.array([1], ">i4")),
        frame(np.array([1], "f2")),
        frame(pd.array([1.5, None], "Float64")),
        frame(pd.period_range("2026", periods=2, freq="D")),
        frame(pd.interval_range(0, 2)),
        frame(pd.arrays.SparseArray([0, 1])),
        frame(pd.Categorical([date(2026, 1, 2)])),
        frame(index=pd.date_range("2026", periods=2, freq="D")),
        frame(index=pd.MultiIndex.from_tuples([(1, "x"), (1, "y")])),
        frame(index=pd.Index([1, "x"])),
        pd.DataFrame({1: [1], "a": [2]}),
        pd.DataFrame({(1, 2): [1]}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=pd.Index(["a", "b"], dtype=object)),
        pd.DataFrame([[1, 2]]),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame(),
        frame(index=pd.Index([1, 2], name=("t", 1))),
        with_attrs({"t": (1, 2)}),
        with_attrs({1: "x"}),
        frame().set_flags(allows_duplicate_labels=False),
        Special({"a": [1]}),
    ],
    ids=lambda table: f"{[str(t) for t in table.dtypes]} by {type(table.index).__name__}",
)
def test_pandas_tables_that_arrow_would_change_come_back_all_the_same(table: pd.DataFrame) -> None:
    back = there_and_back(table)

    assert same(back, table)
    assert back.flags == table.flags


def test_most_of_them_go_by_pickle() -> None:
    assert codec_of(frame([1, "x"])) == "pickle5"
    assert codec_of(with_attrs({"t": (1, 2)})) == "pickle5"
    assert codec_of(frame(index=pd.date_range("2026", periods=2))) == "pickle5"


def test_a_pandas_table_that_came_back_may_be_changed() -> None:
    back = there_and_back(pd.DataFrame({"a": [1, 2], "b": [0.5, 1], "c": ["x", "y"]}))

    back.loc[0, "a"] = 9
    back["b"] *= 2
    back.iloc[1, 2] = "z"

    assert back.values.tolist() == [[9, 1.0, "x"], [2, 2.0, "z"]]


polars_types = [
    pl.Int8,
    pl.UInt64,
    pl.Float32,
    pl.Boolean,
    pl.String,
    pl.Binary,
    pl.Date,
    pl.Time,
    pl.Datetime("us", "Europe/Berlin"),
    pl.Datetime("ns"),
    pl.Duration("ms"),
    pl.Decimal(10, 2),
    pl.Categorical,
    pl.Enum(["x", "y"]),
    pl.List(pl.Int64),
    pl.Array(pl.Int64, 2),
    pl.Struct({"a": pl.Int8, "b": pl.List(pl.String)}),
    pl.Null,
]


@pytest.mark.parametrize("kind", polars_types, ids=str)
def test_polars_tables_of_every_type_come_back(kind: Any) -> None:
    values = {
        "String": ["ü", None],
        "Binary": [b"\xff", None],
        "Date": [date(2026, 1, 2), None],
        "Time": [time(3), None],
        "Categorical": ["a", None],
        "Enum": ["y", None],
        "List": [[1, None], None],
        "Array": [[1, 2], None],
        "Struct": [{"a": 1, "b": ["x"]}, None],
    }.get(pl.Series([], dtype=kind).dtype.base_type().__name__, [None, None])

    table = pl.DataFrame({"c": pl.Series(values, dtype=kind)})

    assert codec_of(table) == "arrow.polars"
    assert same(there_and_back(table), table)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3)
        | st.lists(st.none() | st.floats(), min_size=3, max_size=3)
        | st.lists(
            st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=3, max_size=3
        ),
        max_size=5,
    )
)
def test_polars_and_arrow_tables_come_back_exactly(data: dict[str, list[Any]]) -> None:
    table = pl.DataFrame(data, strict=False)
    assert same(there_and_back(table), table)
    assert same(there_and_back(table.to_arrow()).to_pydict(), table.to_arrow().to_pydict())


def test_a_polars_table_of_objects_is_refused_as_polars_refuses_to_store_it() -> None:
    table = pl.DataFrame({"o": pl.Series([{1, 2}], dtype=pl.Object)})

    with pytest.raises(CodecError, match=r"polars.*DataFrame cannot be stored: .*Object"):
        codecs.encode(table)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"a": [1, None], "b": [{"x": [1]}, None]}),
        pa.table({"a": pa.array(["x", "y"]).dictionary_encode()}),
        pa.table({"a": pa.array([], pa.null())}),
        pa.table({"a": [1]}).replace_schema_metadata({"k": b"\xff"}),
        pa.table({"a": pa.chunked_array([[1], [2, 3], []])}),
        pa.table({"a": pa.chunked_array([pa.array([s]).dictionary_encode() for s in "xy"])}),
        pa.table({"a": list(range(100))}).slice(10, 5),
        pa.table([[1], [2]], names=["a", "a"]),
    ],
)
def test_arrow_tables_come_back_with_their_schema(table: pa.Table) -> None:
    assert codec_of(table) == "arrow"
    assert same(there_and_back(table), table)


def test_an_arrow_table_lies_on_the_mapping_it_came_from(tmp_path: Path) -> None:
    numbers = np.arange(100_000)
    encoded = codecs.encode(pa.table({"a": numbers}))
    assert any(np.shares_memory(np.frombuffer(p, "u1"), numbers) for p in encoded.parts if len(p))
    (tmp_path / "blob").write_bytes(encoded.to_bytes())
    with open(tmp_path / "blob", "rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    whole = np.frombuffer(data, "u1")

    back = codecs.decode(encoded.codec, data)
    del data

    assert np.shares_memory(back["a"].chunk(0).to_numpy(), whole)


@pytest.mark.parametrize("table", [frame(), pl.DataFrame({"a": [1, 2]})], ids=["pandas", "polars"])
def test_any_reader_of_arrow_reads_what_is_stored(table: Any) -> None:
    encoded = codecs.encode(table)

    read = pa.ipc.open_stream(io.BytesIO(encoded.to_bytes())).read_all()

    assert encoded.media_type == "application/vnd.apache.arrow.stream"
    assert read.to_pydict() == {"a": [1, 2]}


def test_without_pyarrow_pandas_tables_are_pickled_and_nothing_heavy_is_imported() -> None:
    code = """
import sys
sys.modules["pyarrow"] = None
from treadle import codecs
from treadle.errors import CodecError
assert codecs.encode([1, (2,)]).codec == "pickle5"
assert not {"numpy", "pandas", "polars"} & set(sys.modules)
import pandas as pd
table = pd.DataFrame({"a": [1, 2]})
encoded = codecs.encode(table)
assert codecs.decode(encoded.codec, memoryview(encoded.to_bytes())).equals(table)
print(encoded.codec)
try:
    codecs.decode("arrow", memoryview(b""))
except codecs.CodecError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.startswith("pickle5\na value stored as arrow needs pyarrow"), done.stderr
