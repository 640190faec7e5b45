"""How a fork server is exec'd: in the engine's own Python, or in that of an environment."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from treadle.engine.local.lent import lend

#: What its process says before it ends: the Python is too old; something that slots import lacks.
TOO_OLD, LACKS = 3, 4

#: Read by whatever Python there is, so nothing new in its first lines.
_PROGRAM = """\
import sys
if sys.version_info < (3, 11):
    sys.stderr.write("It is Python %d.%d; functions need 3.11 or newer.\\n" % sys.version_info[:2])
    sys.exit(3)
sys.path[:] = [folder for folder in sys.path if folder]
import gc, json
gc.disable()  # while importing, it only costs time
given = json.loads(sys.argv[3])
sys.path[:0] = given["before"]
lent = given["lent"].get(sys.implementation.cache_tag, [])
sys.path += [folder for folder in given["after"] + lent if folder not in sys.path]
try:
    import cloudpickle, blake3
except ImportError as error:
    sys.stderr.write("It has no package %s, which functions need there.\\n" % error.name)
    sys.exit(4)
from treadle.engine.local.fork_server import main
main(given)
"""
_PACKAGE_PARENT = str(Path(__file__).parents[3])
_OF_OUR_PYTHON = "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProgram:
    """interpreter: the Python; given: what the program is told; environ: its variables."""

    interpreter: str
    flags: tuple[str, ...] = ()
    given: Mapping[str, Any]
    environ: Mapping[str, str] = field(repr=False)

    def arguments(self, control: int) -> list[str]:
        """The command. control: the descriptor of its end of the control socket."""
        command = [self.interpreter, *self.flags, "-c", _PROGRAM, str(control), str(os.getpid())]
        return [*command, json.dumps(self.given)]


def own_program(preload: tuple[str, ...] = ()) -> ServerProgram:
    """The engine's own Python, with what is installed for it. preload: modules to import there."""
    given = {
        "before": [],
        "after": [_PACKAGE_PARENT, *_installed()],
        "lent": {},
        "preload": list(preload),
    }
    return ServerProgram(
        interpreter=sys.executable, flags=("-P",), given=given, environ=dict(os.environ)
    )


def program_in(interpreter: str, root: Path) -> ServerProgram:
    """Another Python, as it stands. root: a folder of ours for what it is lent. Raises OSError."""
    ours, packages = lend(root)
    given = {
        "before": [ours],
        "after": [],
        "lent": {sys.implementation.cache_tag: [packages]},
        "preload": [],
    }
    environ = {name: value for name, value in os.environ.items() if name not in _OF_OUR_PYTHON}
    prefix = os.path.dirname(interpreter)
    environ["PATH"] = os.pathsep.join([prefix, environ.get("PATH", os.defpath)])
    return ServerProgram(interpreter=interpreter, given=given, environ=environ)


def _installed() -> list[str]:
    """Folders of installed packages. The owner may have some that its interpreter does not know of
    by itself: IPython adds those of the active virtual environment."""
    return [path for path in sys.path if {"site-packages", "dist-packages"} & set(Path(path).parts)]
