"""Functions that a pipeline file names: looked at, never imported."""

import pytest

from formats.projects import Folder

STEP = 'steps: {{a: {{function: "{0}"{1}}}}}'


@pytest.mark.parametrize(
    ("entry", "rest"),
    [
        ("prepare:plain", ", parameters: {a: 1, b: 2}"),
        ("prepare:anything", ", parameters: {x: 1, y: 2}"),
        ("prepare:Maker.make", ", parameters: {size: 1}"),
        ("package:top", ""),
        ("package.inner:deep", ", parameters: {x: 1}"),
        ("spread.part:f", ""),
        ("dynamic:made", ", parameters: {whatever: 1}"),
        ("dynamic:imported", ", parameters: {whatever: 1}"),
        ("dynamic:wrapped", ", parameters: {whatever: 1}"),
        ("dynamic:conditional", ", parameters: {x: 1}"),
        ("starry:anything_at_all", ""),
        ("json:dumps", ", parameters: {obj: 1}"),
    ],
)
def test_what_can_be_called_is_accepted(folder: Folder, entry: str, rest: str) -> None:
    folder.write("package/__init__.py", "def top(): return 1\n")
    folder.write("package/inner.py", "async def deep(*, x): return x\n")
    folder.write("spread/part.py", "def f(a=1, /, b=2): return 1\n")
    folder.write(
        "dynamic.py",
        """
        import functools
        from package import top as imported
        raise RuntimeError("never imported")
        made = functools.partial(print, 1)
        @functools.cache
        def wrapped(x): return x
        try:
            import numpy
        except ImportError:
            def conditional(x): return x
        """,
    )
    folder.write("starry.py", "from package import *\n")
    loaded = folder.load(STEP.format(entry, rest))
    assert loaded.pipeline.tools[0].code.entry == entry
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("package.iner:deep", "there is no module 'package.iner'. Did you mean 'inner'?"),
        (
            "package:tip",
            ("module 'package' (package/__init__.py) has no function 'tip'. Did you mean 'top'?"),
        ),
        (
            "prepare:Maker.mak",
            ("module 'prepare' (prepare.py) has no function 'mak'. Did you mean 'make'?"),
        ),
        (
            "prepare:Xyz.make",
            (
                "module 'prepare' (prepare.py) has no function 'Xyz'. "
                "It has: split, count, plain, anything, numbers."
            ),
        ),
        ("first:f", "first:f (first.py:1) needs 'a'. Add it under `inputs` or `parameters`."),
    ],
)
def test_what_cannot_be_called_is_refused(folder: Folder, entry: str, message: str) -> None:
    folder.write("package/__init__.py", "def top(): return 1\n")
    folder.write("package/inner.py", "def deep(x): return x\n")
    folder.write("first.py", "def f(a, /, b=2): return 1\n")
    assert folder.refusal(STEP.format(entry, "")) == f"flow.yaml:1:23: {message}"


def test_a_module_that_is_nowhere_is_a_warning(folder: Folder) -> None:
    # It may be installed where the step runs
    loaded = folder.load(STEP.format("prepar:split", ""))
    assert loaded.warnings == (
        (
            "flow.yaml:1:13: there is no module 'prepar' in the folder, and none is installed "
            "here. Did you mean 'prepare'?"
        ),
    )


def test_variables_that_a_tool_says_are_taken_as_they_stand(folder: Folder) -> None:
    folder.write(
        "made.py",
        """
        from treadle import tool
        @tool(env={"A": "${x}"}, environment={"python": "3.12"})
        def f(): return 1
        """,
    )
    loaded = folder.load("env: {B: b, A: outer}\n" + STEP.format("made:f", ", env: {B: c}"))
    (tool,) = loaded.pipeline.tools
    assert tool.variables == {"A": "${x}", "B": "c"}
    assert tool.environment.python == "3.12"
