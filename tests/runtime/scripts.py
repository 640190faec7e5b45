"""Performs scripts with the script runtime: in this process, or on an engine."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from engine.workbench import Workbench
from runtime.bench import Ear
from treadle.model.bindings import Binding, Entries, Stored, Value
from treadle.model.ids import new_id
from treadle.model.orders import AttemptKey, Order, Report
from treadle.model.records import Code, Execution, Failure
from treadle.model.refs import Ref
from treadle.runtime.perform import perform
from treadle.storage.blobs import load_value, store_value

INTERPRETERS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]


@cache
def interpreter(version: str) -> str | None:
    """A Python of that version on this machine, if there is one that works."""
    shelf = Path.home() / ".pyenv/versions"
    candidates = [
        shutil.which(f"python{version}"),
        *map(str, shelf.glob(f"{version}.*/bin/python")),
    ]
    for python in filter(None, candidates):
        asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        if told.stdout.strip() == version:
            return python
    return None


class ScriptBench(Workbench):
    """A data directory, and a hand to write scripts in."""

    ear: Ear

    def snapshot(self, files: dict[str, str | bytes], executable: tuple[str, ...] = ()) -> str:
        """A bundle of these files; its digest."""
        entries = {}
        for name, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            mode = 0o755 if name in executable else 0o644
            entries[name] = [self.blobs.put([data])[0], len(data), mode]
        return self.blobs.put([json.dumps({"files": entries}).encode()])[0]

    def script(
        self,
        text: str | bytes,
        entry: str = "work.py",
        *,
        files: dict[str, str | bytes] | None = None,
        inputs: dict[str, Any] | None = None,
        parameters: dict[str, Any] | None = None,
        args: list[str] | None = None,
        output_files: dict[str, str] | None = None,
        folder: str = "",
        executable: bool = True,
        **wanted: Any,
    ) -> Order:
        """An order for a script of this text; wanted: of Execution or Order."""
        path = f"{folder}/{entry}" if folder else entry
        every = {**(files or {}), path: text} if entry else {**(files or {}), "README": text}
        digest = self.snapshot(every, (path,) if executable else ())
        arguments: dict[str, Binding] = {
            "inputs": Entries({name: self.input(value) for name, value in (inputs or {}).items()}),
            "parameters": Value(parameters or {}),
            "args": Value(args or []),
        }
        if output_files:
            arguments["output_files"] = Value(output_files)
        execution = {n: wanted.pop(n) for n in Execution.__dataclass_fields__ if n in wanted}
        job_id = new_id("job")
        fields: dict[str, Any] = {
            "attempt": AttemptKey(job_id, 1),
            "step": "work",
            "run_id": "run-1",
            "kind": "script",
            "code": Code(kind="snapshot", digest=digest, entry=entry, folder=folder),
            "arguments": arguments,
            "execution": Execution(**{"grace_seconds": 0.5, **execution}),
            "blobs": str(self.folder / "blobs"),
            "scratch_dir": str(self.folder / "scratch" / job_id),
            "outputs": (),
        }
        return Order(**{**fields, **wanted})

    def input(self, value: Any) -> Binding:
        """Bindings as they are; all else as the result of another step."""
        if isinstance(value, Binding):
            return value
        return Stored(value if isinstance(value, Ref) else store_value(self.blobs, value))

    def perform(self, text: str | bytes, entry: str = "work.py", **wanted: Any) -> Report:
        self.ear = Ear()
        return perform(self.script(text, entry, **wanted), self.ear)

    def outputs(self, text: str | bytes, entry: str = "work.py", **wanted: Any) -> dict[str, Any]:
        """What a script that completes has made, decoded."""
        report = self.perform(text, entry, **wanted)
        assert report.outcome == "completed", report.failure
        return self.values(report)

    def values(self, report: Report) -> dict[str, Any]:
        folder = self.folder / "fetched" / new_id("x")
        return {name: load_value(self.blobs, ref, folder) for name, ref in report.outputs.items()}

    def failure(self, text: str | bytes, entry: str = "work.py", **wanted: Any) -> Failure:
        report = self.perform(text, entry, **wanted)
        assert report.outcome == "failed"
        assert report.failure is not None
        return report.failure
