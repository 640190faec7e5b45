"""How functions get to the process that runs them: installed, in a bundle, or by value."""

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from treadle import pipeline, tool
from treadle.authoring.origins import origin_of
from treadle.authoring.tracing import Traced
from treadle.errors import InvalidDefinition
from treadle.model.records import Code

Write = Callable[..., Path]
Python = Callable[..., str]


@tool
def importable(x: int) -> int:
    return x + 1


def codes_of(traced: Traced) -> dict[str, Code]:
    return {tool.name: tool.code for tool in traced.pipeline.tools}


def functions_of(traced: Traced) -> dict[str, Any]:
    (digest,) = {code.digest for code in codes_of(traced).values() if code.kind == "value"}
    return unpickled(traced.blobs[digest])


def unpickled(data: bytes) -> dict[str, Any]:
    """As a worker does, undoing what that leaves in the process."""
    finders = list(sys.meta_path)
    functions: dict[str, Any] = pickle.loads(data)
    sys.meta_path[:] = finders
    return functions


def test_functions_of_importable_files_go_as_a_bundle() -> None:
    @pipeline
    def one() -> Any:
        return importable(1)

    traced = one.trace()

    code = codes_of(traced)["importable"]
    (bundle,) = traced.bundles
    assert code.kind == "snapshot"
    assert code.digest == bundle.digest
    assert code.entry == "test_code:importable"
    assert Path(code.project_dir, "pyproject.toml").is_file()
    assert bundle.files["tests/authoring/test_code.py"].path == Path(__file__)
    assert code.folder == "tests/authoring"
    assert not traced.blobs


def test_local_functions_go_by_value_in_one_blob() -> None:
    step = 10

    @tool
    def add(x: int) -> int:
        return x + step

    @tool
    def double(x: int) -> int:
        return 2 * x

    @pipeline
    def both() -> Any:
        return double(add(importable(1)))

    traced = both.trace()

    functions = functions_of(traced)
    entries = {name: code.entry for name, code in codes_of(traced).items()}
    assert entries["importable"] == "test_code:importable"
    assert functions[entries["add"]](1) == 11
    assert functions[entries["double"]](4) == 8
    assert len(functions) == 2


def test_functions_of_the_same_name_are_kept_apart() -> None:
    def adder(step: int) -> Any:
        @tool
        def add(x: int) -> int:
            return x + step

        return add

    one, two = adder(1), adder(2)

    @pipeline
    def both() -> Any:
        return two(one(1))

    traced = both.trace()

    results = {function(0) for function in functions_of(traced).values()}
    assert results == {1, 2}
    assert len({tool.id for tool in traced.pipeline.tools}) == 2


def test_a_decorator_below_is_in_force_in_the_other_process_too() -> None:
    def loud(function: Callable[[str], str]) -> Callable[[str], str]:
        import functools

        @functools.wraps(function)
        def call(x: str) -> str:
            return function(x).upper()

        return call

    @tool
    @loud
    def greet(x: str) -> str:
        return f"hello {x}"

    @pipeline
    def one() -> Any:
        return greet("you")

    (function,) = functions_of(one.trace()).values()

    # A runtime calls what a tool wraps.
    assert getattr(function, "__wrapped__", function)("you") == "HELLO YOU"


def test_installed_functions_need_nothing() -> None:
    from textwrap import dedent

    @pipeline
    def one() -> Any:
        return tool(dedent)("  x")

    traced = one.trace()

    assert codes_of(traced)["dedent"] == Code(kind="snapshot", digest="", entry="textwrap:dedent")
    assert not traced.blobs
    assert not traced.bundles


SCRIPT = """
import json, pickle, sys
import helper
from helper import Shape
from treadle import tool, pipeline

FACTOR = 3

@tool
def inner(x):
    return x * FACTOR

@tool
def outer(x, shape=None):
    return helper.add(inner(x)), Shape(x).area()

@pipeline
def work():
    return outer(inner(1), shape=Shape(2))

traced = work.trace()
json.dump(
    {
        "codes": {
            tool.name: [tool.code.kind, tool.code.entry, tool.code.project_dir]
            for tool in traced.pipeline.tools
        },
        "blob": next(iter(traced.blobs.values())).hex(),
        "where": traced.pipeline.steps[0].where,
        "constant": traced.pipeline.steps[1].arguments["shape"].ref.inline.hex(),
        "registered": sorted(__import__("cloudpickle").list_registry_pickle_by_value()),
    },
    sys.stdout,
)
"""

HELPER = """
import deep.down

def add(x):
    return deep.down.more(x) + 1

class Shape:
    def __init__(self, x):
        self.x = x

    def area(self):
        return self.x * self.x
"""


def test_a_scripts_functions_take_their_sibling_modules_along_by_value(
    write: Write, python: Python, tmp_path: Path
) -> None:
    write("helper.py", HELPER)
    write("deep/__init__.py", "")
    write("deep/down.py", "def more(x):\n    return x + 100\n")
    write("script.py", SCRIPT)

    told = json.loads(python("script.py"))

    assert told["codes"] == {
        "inner": ["value", "inner", str(tmp_path)],
        "outer": ["value", "outer", str(tmp_path)],
    }
    assert told["where"] == "script.py:18"
    assert told["registered"] == []
    assert "helper" not in sys.modules
    functions = unpickled(bytes.fromhex(told["blob"]))  # here, where no helper is to be had
    assert functions["outer"](2) == (6 + 100 + 1, 4)
    assert "helper" not in sys.modules


def test_what_a_script_imports_later_is_found_beside_it(write: Write, python: Python) -> None:
    write("later.py", "VALUE = 5")
    write("package/__init__.py", "")
    write("package/inner.py", "VALUE = 6")
    write(
        "script.py",
        """
        from treadle import pipeline, tool
        @tool
        def late():
            import later
            from package import inner
            return later.VALUE + inner.VALUE
        @pipeline
        def p():
            return late()
        print(next(iter(p.trace().blobs.values())).hex())
        """,
    )
    blob = python("script.py").strip()

    other = "import pickle, sys; f = pickle.loads(bytes.fromhex(sys.argv[1])); print(f['late']())"
    assert python("-I", "-c", other, blob) == "11\n"


def test_a_prompt_has_no_file_and_works_in_its_folder(python: Python, tmp_path: Path) -> None:
    program = "\n".join(
        [
            "from treadle import tool, pipeline",
            "@tool",
            "def f(x): return x + 1\n",
            "@pipeline",
            "def p(): return f(1)\n",
            "t = p.trace()",
            "c = t.pipeline.tools[0].code",
            "print(c.kind, c.entry, c.project_dir, t.pipeline.steps[0].where, len(t.blobs))",
        ]
    )

    assert python("-", stdin=program) == f"value f {tmp_path} <stdin>:6 1\n"


def test_what_cannot_be_sent_is_refused_with_the_tools_name_and_place() -> None:
    import threading

    lock = threading.Lock()

    @tool
    def locked(x: int) -> Any:
        return lock

    @pipeline
    def one() -> Any:
        return locked(1)

    with pytest.raises(InvalidDefinition) as caught:
        one.trace()

    assert "tool 'locked' cannot be sent to another process: cannot pickle" in str(caught.value)
    assert caught.value.where.startswith("tests/authoring/test_code.py:")
    assert cloudpickle.list_registry_pickle_by_value() == set()


def test_a_module_loaded_under_another_name_goes_by_value(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    path = write("odd-name.py", "def f(x):\n    return x + 1\n")
    spec = importlib.util.spec_from_file_location("other", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "other", module)

    assert origin_of(module.f).kind == "value"
