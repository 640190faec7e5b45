"""What a script is handed: its folder, the file that tells its processes of their job, and its
variables."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from treadle.errors import InvalidParameters
from treadle.interfaces import BlobStore
from treadle.model.bindings import Binding, Value
from treadle.model.orders import Order
from treadle.runtime.files import InputFiles, Node, paths_of
from treadle.runtime.outputs import OutputFiles, variable_name
from treadle.runtime.templates import Texts, filled, text_of
from treadle.script_job import FORMAT
from treadle.step import JOB_VARIABLE

_PACKAGE = Path(__file__).parents[1]
_VARIABLE_BYTES = 120_000  #: of one variable; exec refuses more than 128 KiB


class Handover:
    """One attempt's own folder, below the job's scratch directory."""

    def __init__(self, order: Order, blobs: BlobStore) -> None:
        self._order = order
        self.folder = Path(os.path.abspath(order.scratch_dir)) / f"attempt-{order.attempt.number}"
        self.facts, self.notes = self.folder / "facts", self.folder / "notes"
        self.inputs = InputFiles(self.folder / "inputs", blobs)
        files = _plain(order, "output_files", {})
        self.outputs = OutputFiles(self.folder, order.outputs, files)
        self.parameters: Mapping[str, Any] = _plain(order, "parameters", {})
        self._templates: Sequence[str] = _plain(order, "args", [])
        self._texts: Texts = {}

    def make(self) -> None:
        """Make the folder with all that is in it. Raises TreadleError for inputs that cannot be
        had."""
        self.folder.mkdir(parents=True)
        self.inputs.folder.mkdir()
        self.outputs.make_room()
        nodes = self.inputs.lay_out(self._order.arguments.get("inputs", Value({})))
        self._texts = {
            "inputs": paths_of(nodes),
            "outputs": {name: str(path) for name, path in self.outputs.files.items()},
            "parameters": {name: text_of(value) for name, value in self.parameters.items()},
        }
        (self.folder / "job.json").write_text(json.dumps(self._told(nodes)), encoding="utf-8")
        shim = self.folder / "python"
        shim.mkdir()
        (shim / _PACKAGE.name).symlink_to(_PACKAGE)

    def _told(self, nodes: Mapping[str, Node]) -> dict[str, Any]:
        order = self._order
        return {
            "v": FORMAT,
            "step": order.step,
            "run_id": order.run_id,
            "attempt": order.attempt.number,
            "scratch_dir": str(self.folder.parent),
            "inputs": nodes,
            "parameters": self.parameters,
            "outputs": self._texts["outputs"],
            "outputs_dir": str(self.outputs.folder),
            "values_dir": str(self.outputs.values),
            "notes": str(self.notes),
        }

    @property
    def arguments(self) -> list[str]:
        """The script's arguments, filled in. Raises InvalidDefinition."""
        return [filled(text, self._texts) for text in self._templates]

    @property
    def variables(self) -> dict[str, str]:
        """All variables of the script's process. Raises InvalidDefinition."""
        order = self._order
        own = {name: filled(text, self._texts) for name, text in order.variables.items()}
        found = {**os.environ, **own, **order.secrets}
        if order.environment.interpreter:
            _prefer(order.environment.interpreter, found)
            found["PYTHONUNBUFFERED"] = "1"
            found["PYTHONPATH"] = own.get("PYTHONPATH", "")
        path = [str(self.folder / "python"), found.get("PYTHONPATH", "")]
        found["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        return found | self._about_the_job()

    def _about_the_job(self) -> dict[str, str]:
        order, texts = self._order, self._texts
        kinds = (("INPUT", "inputs"), ("OUTPUT", "outputs"), ("PARAM", "parameters"))
        found = {
            f"TREADLE_{prefix}_{variable_name(name)}": text
            for prefix, kind in kinds
            for name, text in texts[kind].items()
            if "\0" not in text and len(os.fsencode(text)) < _VARIABLE_BYTES
        }
        return found | {
            JOB_VARIABLE: str(self.folder / "job.json"),
            "TREADLE_INPUTS_DIR": str(self.inputs.folder),
            "TREADLE_OUTPUTS_DIR": str(self.outputs.folder),
            "TREADLE_SCRATCH_DIR": str(self.folder.parent),
            "TREADLE_NOTES": str(self.notes),
            "TREADLE_RUN_ID": order.run_id or "",
            "TREADLE_STEP": order.step,
            "TREADLE_ATTEMPT": str(order.attempt.number),
        }


def _plain(order: Order, name: str, default: Any) -> Any:
    """An argument that is plain data."""
    binding: Binding = order.arguments.get(name, Value(default))
    if not isinstance(binding, Value):
        raise InvalidParameters(f"The {name} of a script must be plain data.")
    return binding.value


def _prefer(interpreter: str, variables: dict[str, str]) -> None:
    """Let the programs of the environment be found first, as if it was activated."""
    given = Path(interpreter).expanduser()
    folder = given / "bin" if given.is_dir() else given.parent
    path = variables.get("PATH", os.defpath)
    variables["PATH"] = os.pathsep.join([str(folder), path])
    for name in ("PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"):
        variables.pop(name, None)
    if (folder.parent / "pyvenv.cfg").exists():
        variables["VIRTUAL_ENV"] = str(folder.parent)
    if (folder.parent / "conda-meta").is_dir():
        variables["CONDA_PREFIX"] = str(folder.parent)
