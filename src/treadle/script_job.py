"""The job of a script, as its own processes see it: read from the file that $TREADLE_JOB names.

The runtime writes that file, all JSON:

    v, step, run_id, attempt, scratch_dir, parameters
    inputs       {name: node}; a node is {path, codec, media_type}, or {path, list: [node, ...]},
                 {path, tuple: [...]}, {path, dict: {key: node}} where `path` is their folder
    outputs      {name: path of the file to write}, for those that the pipeline knows of
    outputs_dir  where such files lie
    values_dir   what `keep` stores: the bytes as NAME, and NAME.json, {codec, media_type},
                 or {codec: "", path} for a file that stays where it is in outputs_dir
    notes        a FIFO that takes a line of JSON per note

Standard library of Python 3.8 only: it is read in whatever interpreter the step has.
"""

from __future__ import annotations

import atexit
import json
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from treadle.step import CurrentJob

if TYPE_CHECKING:
    from treadle.codecs import Encoded

FORMAT = 1
_LINE_BYTES = 4096  #: what a pipe takes at once (PIPE_BUF), unmixed with what others write


class NotesPipe:
    """The way out for notes: one line each, from any process and thread of the step."""

    def __init__(self, path: str) -> None:
        self._path, self._fd = path, -1

    def metric(self, name: str, value: float, step: int | None) -> None:
        self._send({"metric": name, "value": value, "step": step})

    def progress(self, done: float, total: float | None) -> None:
        self._send({"progress": done, "total": total})

    def _send(self, note: Mapping[str, Any]) -> None:
        line = json.dumps(note).encode() + b"\n"
        if len(line) > _LINE_BYTES:
            raise ValueError(f"a note of {len(line)} bytes is too long; give it a shorter name")
        if self._fd < 0:
            self._fd = self._open()
        if self._fd >= 0:
            self._write(line)

    def _open(self) -> int:
        """The FIFO, or -1 when the job is over: nobody reads it any more."""
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return -1
        os.set_blocking(fd, True)  # a full pipe makes the step wait, as printing does
        return fd

    def _write(self, line: bytes) -> None:
        try:
            os.write(self._fd, line)
        except OSError:  # the job is over, or the script has closed what it did not open
            self._fd = -1


class ScriptJob(CurrentJob):
    """What a script was given, and where it puts what it makes."""

    def __init__(self, path: str, told: Mapping[str, Any]) -> None:
        super().__init__(NotesPipe(told["notes"]), told["attempt"], told["scratch_dir"])
        self.path = path
        self.inputs: Mapping[str, Any] = told["inputs"]
        self.parameters: Mapping[str, Any] = told["parameters"]
        self._outputs_dir, self._values_dir = Path(told["outputs_dir"]), Path(told["values_dir"])
        self._values: dict[str, Any] = {}

    @classmethod
    def read(cls, path: str) -> ScriptJob | None:
        """The job that the file tells of; None where it is gone, as the job then is."""
        try:
            with open(path, encoding="utf-8") as file:
                job = cls(path, json.load(file))
        except FileNotFoundError:
            return None
        atexit.register(job.finish)
        return job

    def input_path(self, name: str) -> Path:
        return Path(self.inputs[name]["path"])

    def value(self, name: str) -> Any:
        """The input's value, decoded once."""
        if name not in self._values:
            self._values[name] = _decoded(self.inputs[name])
        return self._values[name]

    def keep(self, value: Any, name: str) -> None:
        """Store the value as it is now. Raises CodecError, and ValueError if the name is taken."""
        from treadle import codecs  # noqa: PLC0415 - only for scripts that keep values

        if isinstance(value, Path) and _is_below(value, self._outputs_dir):
            self._write(name, (), {"codec": "", "path": str(value.absolute())})
            return
        encoded: Encoded = codecs.encode(value)
        about = {"codec": encoded.codec, "media_type": encoded.media_type}
        self._write(name, encoded.parts, about)

    def _write(self, name: str, parts: Any, about: Mapping[str, str]) -> None:
        """The bytes first, then what they are: a value that is not whole does not count."""
        data, note = self._values_dir / name, self._values_dir / f"{name}.json"
        try:
            file = open(data, "xb", buffering=0)
        except FileExistsError:
            hint = "Give each its own name: treadle.output(value, 'model')"
            raise ValueError(f"The output {name!r} was made already. {hint}") from None
        try:
            with file:
                for part in parts:
                    rest = memoryview(part).cast("B")
                    while rest:
                        rest = rest[file.write(rest) :]
            note.write_text(json.dumps(about), encoding="utf-8")
        except BaseException:
            data.unlink()
            raise


def _is_below(path: Path, folder: Path) -> bool:
    return folder in path.absolute().parents and path.exists()


def _decoded(node: Mapping[str, Any]) -> Any:
    """The value of a node of the tree of inputs."""
    if "list" in node:
        return [_decoded(each) for each in node["list"]]
    if "tuple" in node:
        return tuple(_decoded(each) for each in node["tuple"])
    if "dict" in node:
        return {key: _decoded(each) for key, each in node["dict"].items()}
    if node["codec"].startswith("path"):
        return Path(node["path"])
    from treadle import codecs  # noqa: PLC0415 - only for scripts that read values

    return codecs.decode(node["codec"], _contents(node["path"]))


def _contents(path: str) -> memoryview:
    """The file's bytes, mapped: to be written to without changing the file."""
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(bytearray())
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
