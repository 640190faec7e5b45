"""Pipelines that tests of the doors and of the client run."""

import hashlib
import os
import sys
from pathlib import Path

import treadle
from treadle import pipeline, tool


@tool
def add(a: int, b: int = 1) -> int:
    return a + b


@tool
def announce(text: str) -> str:
    print(text)
    print("to stderr", file=sys.stderr)
    return text


@tool
def measure(value: float) -> float:
    treadle.log_metric("loss", value, step=1)
    treadle.log_metric("loss", float("inf"), step=2)
    treadle.progress(1, 2)
    return value


@tool
def raise_error(text: str = "nope") -> None:
    raise ValueError(text)


@tool
def forge() -> str:
    """Tell the server that the result is of a kind that would break the head of an answer."""
    refs = sys.modules["treadle.model.refs"]
    made = refs.Ref.__init__

    def forged(self, **fields):
        made(self, **fields | {"media_type": "text/html\r\nX-Made: up", "codec": "js\r\non"})

    refs.Ref.__init__ = forged
    return "text"


@tool
def die() -> None:
    print("last words", flush=True)
    os._exit(7)


@tool
def hold(gate: str, value: int = 0) -> int:
    """Wait until somebody writes to the named pipe."""
    print("holding", flush=True)
    Path(gate).read_bytes()
    return value


@tool
def chatter(lines: int, name: str) -> int:
    for number in range(lines):
        print(f"{name} says grüezi {number} times", flush=number % 7 == 0)
    return lines


@tool
def go_halfway(gate: str) -> None:
    treadle.log_metric("loss", 0.5)
    treadle.progress(1, 2)
    Path(gate).read_bytes()


@tool
def blob(size: int) -> bytes:
    return b"x" * size


@tool
def print_in_parts(gate: str, parts: int) -> None:
    """Print a part each time somebody writes to the named pipe."""
    for part in range(parts):
        Path(gate).read_bytes()
        print(f"part {part} {'x' * 1000}", flush=True)


@tool
def make_noise(size: int) -> bytes:
    """Bytes of which no part is like another, the same each time."""
    return hashlib.shake_128(b"seed").digest(size)


@tool
def write_file(text: str) -> Path:
    path = treadle.scratch_dir() / "made.txt"
    path.write_text(text)
    return path


@pipeline
def sums(start: int = 1):
    """Add up."""
    first = add(start)
    return {"first": first, "both": [add(first, 10), "constant"]}


@pipeline
def many(count: int):
    return [add(n) for n in range(count)]


@pipeline
def talking(text: str = "hello"):
    return announce(text)


@pipeline
def measuring(value: float = 0.5):
    return measure(value)


@pipeline
def failing():
    return add(raise_error(), 1)  # type: ignore[arg-type]


@pipeline
def dying():
    return die()


@pipeline
def holding(gate: str, value: int = 0):
    return hold(gate, value)


@pipeline
def announcing(gate: str):
    """Announce, once the gate opens."""
    return announce(hold(gate))  # type: ignore[arg-type]


@pipeline
def chattering(lines: int):
    return [chatter(lines, name) for name in ("analyst", "trainer", "cy")]


@pipeline
def halfway(gate: str):
    return go_halfway(gate)


@pipeline
def large(size: int = 300_000):
    return blob(size)


@pipeline
def printing(gate: str, parts: int):
    print_in_parts(gate, parts)


@pipeline
def noise(size: int):
    return make_noise(size)


@pipeline
def filing(text: str = "inside"):
    return write_file(text)


@pipeline
def wide(count: int = 20):
    return [add(i) for i in range(count)]


@pipeline
def forging():
    return forge()
