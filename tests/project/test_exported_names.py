"""The public surface is `treadle.__all__`, and it is true."""

import subprocess
import sys

import pytest

import treadle


@pytest.mark.parametrize("name", treadle.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(treadle, name) is not None


def test_the_names_are_sorted_and_named_once() -> None:
    assert list(treadle.__all__) == sorted(set(treadle.__all__))


def test_a_name_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = treadle.no_such_name


def test_every_public_name_says_what_it_is_for() -> None:
    silent = [
        name
        for name in treadle.__all__
        if callable(getattr(treadle, name)) and not getattr(treadle, name).__doc__
    ]

    assert silent == []


def test_what_a_script_needs_loads_the_standard_library_alone() -> None:
    script = """
import sys
before = set(sys.modules)
import treadle
treadle.inputs, treadle.parameters, treadle.output, treadle.log_metric, treadle.progress
print(*sorted({m.partition(".")[0] for m in set(sys.modules) - before} - sys.stdlib_module_names))
print(*sorted(m for m in sys.modules if m.startswith("treadle.")))
"""

    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )

    assert loaded.stdout.splitlines() == ["treadle", "treadle.step"]


def test_importing_treadle_loads_none_of_its_rooms() -> None:
    script = "import sys, treadle; print(*[m for m in sys.modules if m.startswith('treadle.')])"

    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert loaded.stdout.split() == []
