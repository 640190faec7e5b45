"""What a script has made: values that it kept, files that it wrote; stored under their names."""

import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from treadle.codecs import Encoded
from treadle.codecs.path import FileParts
from treadle.errors import InvalidDefinition
from treadle.interfaces import BlobStore
from treadle.model.graph import nearest
from treadle.model.inside import is_inside
from treadle.model.refs import Ref
from treadle.storage.blobs import store_encoded, store_value


class OutputFiles:
    """The places of a step's outputs, before and after the script has run.

    names: what the pipeline knows of. given: names of files for some of them. Raises
    InvalidDefinition for one that leads out of the outputs' folder.
    """

    def __init__(self, folder: Path, names: Iterable[str], given: Mapping[str, str]) -> None:
        self.folder, self.values = folder / "outputs", folder / "values"
        self.files = {name: self.folder / _below(given.get(name, name)) for name in names}

    def make_room(self) -> None:
        self.values.mkdir()
        for file in (self.folder / "any", *self.files.values()):
            file.parent.mkdir(parents=True, exist_ok=True)

    def stored(self, blobs: BlobStore) -> dict[str, Ref]:
        """All outputs. Raises InvalidDefinition where one is missing or made twice, and what the
        store raises."""
        kept = self._kept()
        written = self._written(kept)
        if twice := sorted(kept.keys() & written.keys()):
            raise InvalidDefinition(
                f"The output {twice[0]!r} was made twice: by treadle.output and as the file "
                f"{written[twice[0]].name}.",
                hint="Keep one of them.",
            )
        self._check({*kept, *written})
        found = {name: self._stored_value(blobs, name, path) for name, path in kept.items()}
        return found | {name: store_value(blobs, _whole(path)) for name, path in written.items()}

    def _kept(self) -> dict[str, Path | None]:
        """Outputs given to treadle.output, with the file that stays where it is."""
        notes = {path.stem: json.loads(path.read_text()) for path in self.values.glob("*.json")}
        return {name: Path(n["path"]) if "path" in n else None for name, n in notes.items()}

    def _written(self, kept: Mapping[str, Path | None]) -> dict[str, Path]:
        """Files below the outputs' folder by output: known ones by their place, or by their name
        up to its ending; others by name."""
        staying = set(kept.values())
        found = {
            name: path
            for name, path in self.files.items()
            if os.path.lexists(path) and path not in staying
        }
        missing = self.files.keys() - found.keys() - kept.keys()
        taken = {*found.values(), *staying, *self._folders_of_known()}
        for entry in sorted(os.scandir(self.folder), key=lambda entry: entry.name):
            path = Path(entry.path)
            if path in taken or entry.name.startswith("."):
                continue
            stem = entry.name.partition(".")[0]
            name = stem if stem in missing and stem not in found else entry.name
            found[name] = path
        return found

    def _folders_of_known(self) -> set[Path]:
        """Folders that are there only because a known output lies in one."""
        return {parent for path in self.files.values() for parent in path.parents}

    def _check(self, made: set[str]) -> None:
        for name in self.files:
            if name not in made:
                hint = nearest(name, made)
                does = f"It made {', '.join(sorted(map(repr, made)))}." if made else ""
                raise InvalidDefinition(
                    f"The script made no output {name!r}. {does}".rstrip(),
                    hint=f"{hint} Call treadle.output(value, {name!r}), or write the file "
                    f"$TREADLE_OUTPUT_{variable_name(name)}.".lstrip(),
                )

    def _stored_value(self, blobs: BlobStore, name: str, path: Path | None) -> Ref:
        if path is not None:
            return store_value(blobs, _whole(path))
        about, data = json.loads((self.values / f"{name}.json").read_text()), self.values / name
        size_bytes = data.stat().st_size
        return store_encoded(
            blobs, Encoded(**about, parts=FileParts(data, size_bytes), size_bytes=size_bytes)
        )


def _below(file: str) -> str:
    if not is_inside(file):
        raise InvalidDefinition(f"{file!r} is no name for an output: it leads elsewhere.")
    return file


def _whole(path: Path) -> Path:
    """The path, if what lies there can be stored."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InvalidDefinition(
            f"The output {path.name} cannot be read: {error.strerror}.",
            hint="A link must lead to something that stays.",
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InvalidDefinition(f"The output {path.name} is neither a file nor a folder.")
    return path


def variable_name(name: str) -> str:
    """The end of the name of a variable about this."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()
