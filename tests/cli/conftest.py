"""The real command in processes of its own, on a data directory of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PIPELINES = '''
import os, signal, sys, time
from pathlib import Path
import treadle
from treadle import pipeline, tool

HERE = Path(os.environ.get("TEST_MARKS", "/nowhere"))

@tool
def load(name: str = "wine"):
    print("loading", name)
    return {"name": name, "rows": 3}

@tool
def train(data, model: str, seed: int = 0):
    for step in range(3):
        treadle.progress(step + 1, 3)
        treadle.log_metric("accuracy", 0.9 + step / 100 + len(model) / 1000, step=step)
        print(f"{model} epoch {step}", flush=True)
    return {"model": model, "accuracy": 0.92}

@tool
def best(results):
    return max(results, key=lambda each: len(each["model"]))

@pipeline
def compare(dataset: str = "wine"):
    """Train three models."""
    data = load(dataset)
    return best([train(data, m) for m in ("logistic", "forest", "boosting")])

@tool
def fail(text: str):
    print("about to fail", flush=True)
    raise ValueError(text)

@tool
def die():
    print("last words", flush=True)
    os.kill(os.getpid(), 9)

@tool
def after(value):
    return value

@pipeline
def failing(text: str = "no such thing"):
    return after(fail(text))

@pipeline
def breaking():
    for i in range(5):
        fail(f"cause {i}")

@pipeline
def dying():
    return after(die())

@tool
def fail_once():
    mark = HERE / "tried"
    if not mark.exists():
        mark.touch()
        raise ValueError("not the first time")
    return "done"

@pipeline
def flaky():
    return after(fail_once())

@tool
def wait_for(mark: str):
    (HERE / f"{mark}.waiting").touch()
    print("waiting", flush=True)
    while not (HERE / mark).exists():
        time.sleep(0.01)
    return mark

@pipeline
def patient(mark: str = "go"):
    return wait_for(mark)

@tool
def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting", flush=True)
    time.sleep(60)

@pipeline(name="stubborn")
def one():
    return stubborn()

@tool
def talk(lines: int):
    for i in range(lines):
        print(f"line {i}")
    return lines

@pipeline
def talkative(lines: int = 20000):
    return talk(lines)

@tool
def diverge():
    treadle.log_metric("loss", float("nan"))
    treadle.log_metric("größe", 1)
    print("größe")

@pipeline
def diverging():
    diverge()

@tool
def number(i: int):
    return i

@pipeline
def wide(steps: int = 200):
    for i in range(steps):
        number(i)
'''


@dataclass
class Treadle:
    """Runs the command on one data directory."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)  #: more for the environment

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TREADLE_", "COLUMNS"))}
        return kept | {
            "TREADLE_DATA_DIR": str(self.folder / "data"),
            "TREADLE_SLOTS": "2",
            "TEST_MARKS": str(self.folder),
            "LC_ALL": "C.UTF-8",
            **self.variables,
        }

    @property
    def file(self) -> str:
        return "pipelines.py"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "treadle", *arguments]

    def __call__(self, *arguments: str, code: int | None = 0) -> str:
        """Standard output of a command that must end with the code."""
        return self.all(*arguments, code=code).stdout

    def all(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, cwd=self.folder,
            env=self.environment, timeout=90, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if code is not None:
            assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, code: int = 0):
        """The one JSON document on standard output; nothing else may be there."""
        return json.loads(self(*arguments, "--json", code=code))

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command that goes on."""
        process = subprocess.Popen(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.running.append(process)
        return process

    def mark(self, name: str) -> None:
        (self.folder / name).touch()


@pytest.fixture
def treadle(tmp_path: Path) -> Iterator[Treadle]:
    (tmp_path / "pipelines.py").write_text(PIPELINES)
    made = Treadle(tmp_path)
    yield made
    for process in made.running:
        process.kill()
        process.communicate()
