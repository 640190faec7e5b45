"""A folder with a pipeline file, scripts and modules, as a user has it."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from treadle.errors import InvalidDefinition
from treadle.formats import native

PREPARE = '''
import treadle
from treadle import tool as named

LIMIT = 3

@named(cpus=2, retries=1, outputs=["train", "test"], version="2.1")
def split(data, size: float = 0.25, *, seed=0):
    """Split the rows."""
    return data, data

@treadle.tool(retries=LIMIT, name="counter")
def count(rows):
    return len(rows)

def plain(a, b=1):
    return a

def anything(**values):
    return values

def numbers(n):
    yield from range(n)

class Maker:
    @staticmethod
    def make(size):
        return size
'''


@dataclass(frozen=True)
class Folder:
    """A project of one folder."""

    path: Path

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        data = text if isinstance(text, bytes) else dedent(text).lstrip("\n").encode()
        file.write_bytes(data)
        file.chmod(mode)
        return file

    def place(self, name: str = "flow.yaml") -> native.Place:
        return native.Place(file=self.path / name)

    def load(
        self, text: str, texts: dict[str, str] | None = None, **parameters: object
    ) -> native.Loaded:
        """What a pipeline file of this text comes to."""
        self.write("flow.yaml", text)
        return native.load(self.place(), parameters, texts or {})

    def refusal(self, text: str, **parameters: object) -> str:
        """The whole message with which a pipeline file of this text is refused."""
        with pytest.raises(InvalidDefinition) as caught:
            self.load(text, **parameters)
        return caught.value.sentence
