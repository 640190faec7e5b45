"""What lies beside a pipeline file: its scripts and Python modules, looked at but never run."""

import functools
import hashlib
import importlib.util
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from treadle.errors import InvalidDefinition
from treadle.formats.files import DISK, Files
from treadle.formats.functions import FoundFunction, Module
from treadle.model.graph import nearest
from treadle.model.parsing import parsed

PYTHON, SHELL = (".py",), (".sh", ".bash")
MARKS = ("treadle.toml", "pyproject.toml", ".git")  #: of a project's top folder


def root_of(folder: Path) -> Path:
    """The nearest folder with a project's mark; without one, the folder itself."""
    folder = Path(os.path.abspath(folder))
    for each in (folder, *folder.parents):
        if any((each / mark).exists() for mark in MARKS):
            return each
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A function that a pipeline file names. function: None where it cannot be seen from outside.

    source: a hash of its text, or of its module's; "" for what is installed.
    """

    function: FoundFunction | None = None
    source: str = ""
    warning: str = ""
    hint: str = ""


class Project:
    """The folder of a pipeline file, within its project. Every file is looked at once.

    shown: the folder as messages show it. unreadable: script or module -> why our Python cannot
    read it.
    """

    def __init__(self, folder: Path, root: Path, shown: PurePosixPath, files: Files = DISK) -> None:
        self.folder, self._root, self._shown = folder, files.real(root), shown
        self._files = files
        self.unreadable: dict[str, InvalidDefinition] = {}
        self.script = functools.cache(self._script)
        self.module = functools.cache(self._module)

    def _script(self, name: str) -> str:
        """A hash of the script. Raises InvalidDefinition if it could not be run."""
        pure = PurePosixPath(name)
        if not name or pure.is_absolute() or ".." in pure.parts:
            hint = "Name a file below the folder of the pipeline file."
            raise InvalidDefinition(f"script {name!r} is outside the folder.", hint=hint)
        path = self.folder / pure
        try:
            data = self._content(path, name)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise InvalidDefinition(f"script {name!r} cannot be read: {why}.") from None
        if path.suffix in PYTHON:
            self._look_at_python(data, name)
        elif path.suffix not in SHELL and not self._files.is_executable(path):
            raise InvalidDefinition(
                f"script {name!r} is not executable.", hint=f"Make it so: chmod +x {name}"
            )
        return _hash(data)

    def _content(self, path: Path, name: str) -> bytes:
        if not self._files.exists(path):
            if self._files.is_link(path):
                raise InvalidDefinition(f"script {name!r} is a symbolic link to nothing.")
            raise InvalidDefinition(f"there is no script {name!r}.", hint=self._near(name))
        if not self._is_inside(path):
            raise InvalidDefinition(
                f"script {name!r} leads out of the project, to {self._files.real(path)}.",
                hint="Copy it into the project, so that it goes along.",
            )
        mode = self._files.mode(path) or 0
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise InvalidDefinition(f"script {name!r} is {what}.")
        return self._files.read(path)

    def _is_inside(self, path: Path) -> bool:
        return self._files.real(path).is_relative_to(self._root)

    def _near(self, name: str) -> str:
        files, parent = self._files, (self.folder / name).parent
        if not files.is_dir(parent):
            return files.hint or f"There is no folder {str(PurePosixPath(name).parent)!r} either."
        folder = PurePosixPath(name).parent
        beside = [each for each in files.names(parent) if files.is_file(parent / each)]
        return nearest(name, [str(folder / each) for each in beside]) or files.hint

    def _look_at_python(self, data: bytes, name: str) -> None:
        """Keep a mistake in `unreadable`: the Python of the step may be another one than ours."""
        try:
            parsed(data)
        except SyntaxError as error:
            self.unreadable[str(PurePosixPath(name))] = _syntax_error(error, self._shown / name)
        except (ValueError, RecursionError, MemoryError) as error:
            raise InvalidDefinition(
                f"script {name!r} is no Python that can be read: {error}."
            ) from None

    def function(self, entry: str) -> Located:
        """The function of "module:name". Raises InvalidDefinition if it is surely not there."""
        module, colon, qualname = entry.partition(":")
        parts = module.split(".")
        if not colon or not all(p.isidentifier() for p in (*parts, *qualname.split("."))):
            hint = "Write it like prepare:split, the module before the colon."
            raise InvalidDefinition(f"function {entry!r} is no module:name.", hint=hint)
        found = self.module(module)
        if isinstance(found, Located):
            return found
        return Located(function=found.function(qualname), source=found.source_of(qualname))

    def _module(self, name: str) -> Module | Located:
        """The module in the folder; Located for one that is not there, so perhaps installed."""
        path = self.folder.joinpath(*name.split("."))
        for file in (path.with_name(path.name + ".py"), path / "__init__.py"):
            if self._files.is_file(file):
                return self._read_module(name, file)
        top = name.partition(".")[0]
        beside = self.folder / f"{top}.py"
        if not self._files.is_dir(self.folder / top) and not self._files.is_file(beside):
            return _installed(top, self._modules_in(self.folder))
        compiled = (each.startswith(f"{path.name}.") for each in self._files.names(path.parent))
        if any(compiled) or self._files.is_dir(path):
            return Located(source=name)  # compiled, or a package without a file
        raise InvalidDefinition(
            f"there is no module {name!r}.",
            hint=nearest(path.name, self._modules_in(path.parent)),
        )

    def _read_module(self, name: str, file: Path) -> Module | Located:
        shown = self._shown / file.relative_to(self.folder)
        if not self._is_inside(file):
            raise InvalidDefinition(
                f"module {name!r} leads out of the project, to {self._files.real(file)}.",
                hint="Copy it into the project, so that it goes along.",
            )
        try:
            data = self._files.read(file)
            return Module(name=name, data=data, tree=parsed(data), shown=str(shown))
        except SyntaxError as error:
            self.unreadable[name] = _syntax_error(error, shown)
            return Located(source=_hash(data))
        except (OSError, ValueError, RecursionError, MemoryError) as error:
            raise InvalidDefinition(f"module {name!r} cannot be read: {error}.") from None

    def _modules_in(self, folder: Path) -> list[str]:
        found = [folder / name for name in self._files.names(folder)]
        return [
            each.stem if each.suffix == ".py" else each.name
            for each in found
            if (each.suffix == ".py" or self._files.is_dir(each)) and each.stem.isidentifier()
        ]


def _installed(top: str, beside: list[str]) -> Located:
    """Nothing is imported: finding a top module runs none of it."""
    try:
        found = importlib.util.find_spec(top) is not None
    except (ImportError, ValueError, AttributeError):
        found = False
    if found:
        return Located()
    warning = f"there is no module {top!r} in the folder, and none is installed here."
    return Located(warning=warning, hint=nearest(top, beside))


def _syntax_error(error: SyntaxError, file: PurePosixPath) -> InvalidDefinition:
    hint = ""
    if "codec can't decode" in (error.msg or ""):
        hint = "Save it as UTF-8, or name its encoding in the first line: # coding: latin-1"
    where = f"{file}:{error.lineno or 1}:{error.offset or 1}"
    return InvalidDefinition(f"SyntaxError: {error.msg}", where=where, hint=hint)


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
