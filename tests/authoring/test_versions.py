"""One definition is one version, in every process; an edit is another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from treadle import tool
from treadle.authoring.versions import definition_text, version_of

Write = Callable[..., Path]
Python = Callable[..., str]

TELL = """
import json
from treadle.authoring.versions import version_of
from tools import work
print(json.dumps(version_of(work.function, work.parameters.schema, work.label)))
"""

SOURCE = """
import treadle
from treadle import tool

LIMIT = 3
NAMES = frozenset({"b", "a", "c"})

class Odd:
    pass

@tool
def work(x: int, limit: int = LIMIT, names: frozenset[str] = NAMES, odd: object = Odd()) -> int:
    return x + limit
"""


def version(write: Write, python: Python, source: str = SOURCE) -> str:
    write("tools.py", source)
    found: str = json.loads(python("-B", "-c", TELL))
    return found


def test_the_version_is_the_same_in_every_process(write: Write, python: Python) -> None:
    assert version(write, python) == version(write, python)


def test_resources_are_no_part_of_it(write: Write, python: Python) -> None:
    changed = SOURCE.replace("@tool", '@treadle.tool(\n    cpus=4,\n    memory="2GB",\n)')

    assert version(write, python, changed) == version(write, python)


def test_neither_is_its_place_in_the_file(write: Write, python: Python) -> None:
    moved = SOURCE.replace("@tool", "OTHER = 1\n\n\n@tool")

    assert version(write, python, moved) == version(write, python)


def test_body_defaults_and_types_and_other_decorators_are(write: Write, python: Python) -> None:
    edits = [
        SOURCE,
        SOURCE.replace("x + limit", "x - limit"),
        SOURCE.replace("LIMIT = 3", "LIMIT = 4"),
        SOURCE.replace('"c"}', '"d"}'),
        SOURCE.replace("x: int,", "x: float,"),
        SOURCE.replace("@tool", "import functools\n@tool\n@functools.cache"),
        SOURCE.replace("@tool", "import functools\n@tool\n@functools.lru_cache(8)"),
    ]

    versions = [version(write, python, edit) for edit in edits]

    assert len(set(versions)) == len(edits)


def test_a_label_goes_before_the_hash(write: Write, python: Python) -> None:
    plain = version(write, python)

    labelled = version(write, python, SOURCE.replace("@tool", '@tool(version="2.1")'))

    assert labelled == f"2.1+{plain}"


def test_functions_without_source_have_versions_too(python: Python) -> None:
    program = """if True:
        from treadle import tool
        from treadle.authoring.versions import version_of
        exec('''
@tool
def work(x: int) -> int:
    return {body} + len({{"a", "b", "c"}} & {{"b"}})
''')
        print(version_of(work.function, work.parameters.schema))
        """

    first, again, other = (
        python("-c", program.format(body=body)) for body in ("x + 1", "x + 1", "x + 2")
    )

    assert first == again != other


def test_lambdas_and_nested_functions_have_versions() -> None:
    def made(step: int) -> Any:
        return tool(name="add")(lambda x: x + step)

    work = made(1)

    assert len(version_of(work.function, work.parameters.schema)) == 12
    assert definition_text(work.function)


def test_comments_inside_are_part_of_the_source_but_indentation_is_not() -> None:
    def outer() -> Any:
        @tool
        def work(x: int) -> int:
            return x

        return work

    @tool
    def work(x: int) -> int:
        return x

    nested, flat = outer(), work

    assert definition_text(nested.function) == definition_text(flat.function)
