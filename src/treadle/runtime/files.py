"""A step's inputs laid out as files, uncopied where their bytes are files already.

An input `data` becomes, in the inputs' folder:

    data.json, data.npy, data.arrow, ...   a value, by its codec
    data/wine.csv                          a file that a step made, under its own name
    data/model/...                         a directory that a step made, unpacked
    data/0.json, data/1.csv, data/2/...    several results: a folder of them, in order
    data/KEY.json, ...                     results by key

Large values are symbolic links to their blobs, which nobody but root can then write to.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from treadle import codecs
from treadle.codecs.path import name_in
from treadle.errors import InvalidParameters
from treadle.interfaces import BlobStore
from treadle.model.bindings import Binding, Entries, Items, Stored, Value
from treadle.model.refs import Ref
from treadle.storage.blobs import open_ref

Node = dict[str, Any]  #: as treadle.script_job reads it
_EXTENSIONS = {"json": ".json", "npy": ".npy", "arrow": ".arrow", "pickle5": ".pickle5"}
_PACKED = (".gz", ".bz2", ".xz", ".zst")  #: the suffix before it says what is inside
_LINKED_BYTES = 64 * 1024  #: what is larger is linked, not copied
_READ_ONLY = 0o444


class InputFiles:
    """Lays inputs out below a folder. Raises TreadleError for what cannot be had."""

    def __init__(self, folder: Path, blobs: BlobStore) -> None:
        self.folder, self._blobs = folder, blobs
        self.linked: dict[Path, tuple[str, tuple[int, int]]] = {}

    def lay_out(self, inputs: Binding) -> dict[str, Node]:
        """The tree of each input by name."""
        if isinstance(inputs, Value):
            inputs = Entries({name: Value(value) for name, value in inputs.value.items()})
        if not isinstance(inputs, Entries):
            raise InvalidParameters("The inputs of a script must have names.")
        return {name: self._top(name, binding) for name, binding in inputs.entries.items()}

    def _top(self, name: str, binding: Binding) -> Node:
        if isinstance(binding, Stored) and _is_path(binding.ref):
            own_name = name_in(binding.ref.codec)
            return self._stored(self.folder / file_name(name), own_name, binding.ref)
        return self._node(self.folder, file_name(name), binding)

    def _node(self, folder: Path, name: str, binding: Binding) -> Node:
        if isinstance(binding, Stored):
            return self._stored(folder, name + extension(binding.ref), binding.ref)
        if isinstance(binding, Value):
            return self._value(folder / f"{name}.json", binding.value)
        if isinstance(binding, Items):
            width = len(str(len(binding.items) - 1))  # so that a listing is in order
            named = [(str(n).zfill(width), item) for n, item in enumerate(binding.items)]
            nodes = [self._node(folder / name, *each) for each in named]
            return {"path": self._made(folder / name), binding.kind: nodes}
        if isinstance(binding, Entries):
            entries = {
                key: self._node(folder / name, file_name(key), each)
                for key, each in binding.entries.items()
            }
            return {"path": self._made(folder / name), "dict": entries}
        raise InvalidParameters(f"An input is still bound to the step {binding.step!r}.")

    def _made(self, folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def _value(self, path: Path, value: Any) -> Node:
        _write(path, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return {"path": str(path), "codec": "json", "media_type": "application/json"}

    def _stored(self, folder: Path, name: str, ref: Ref) -> Node:
        path = folder / name
        if ref.codec.startswith("path.tar:"):
            folder.mkdir(parents=True, exist_ok=True)
            codec = f"path.tar:{quote(name)}"
            path = codecs.decode(codec, open_ref(self._blobs, ref), directory=folder)
        elif ref.inline is None and ref.size_bytes > _LINKED_BYTES:
            self._link(path, ref)
        else:
            _write(path, open_ref(self._blobs, ref))
        return {"path": str(path), "codec": ref.codec, "media_type": ref.media_type}

    def _link(self, path: Path, ref: Ref) -> None:
        """A symbolic link to the blob, or a copy where it is no file of this machine."""
        data = open_ref(self._blobs, ref)  # mapped only: it is there, and of the right size
        where = getattr(self._blobs, "path", None)
        if where is None:
            _write(path, data)
            return
        blob = Path(os.path.abspath(where(ref.digest)))
        with contextlib.suppress(PermissionError):  # of another user: not ours to write to at all
            blob.chmod(blob.stat().st_mode & 0o555)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(blob)
        self.linked[path] = ref.digest, _age(blob)

    def written_to(self) -> Iterator[tuple[Path, str]]:
        """(file, digest) of the blobs that changed since they were linked; root can do that."""
        for path, (digest, age) in self.linked.items():
            where = getattr(self._blobs, "path", None)
            if where is not None and where(digest).exists() and _age(where(digest)) != age:
                yield path, digest


def paths_of(nodes: Mapping[str, Node]) -> dict[str, str]:
    """File or folder of each input."""
    return {name: str(node["path"]) for name, node in nodes.items()}


def extension(ref: Ref) -> str:
    """Of a file with such contents: that of its own name, or its codec's."""
    if ref.codec.startswith("path.tar:"):
        return ""
    if _is_path(ref):
        suffixes = Path(unquote(ref.codec.partition(":")[2])).suffixes
        return "".join(
            suffixes[-2:] if suffixes[-1:] and suffixes[-1] in _PACKED else suffixes[-1:]
        )
    return _EXTENSIONS.get(ref.codec.partition(".")[0], "")


def file_name(name: str) -> str:
    """The name, as one that a file can have and that shows in a listing."""
    safe = name.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe or "%"


def _is_path(ref: Ref) -> bool:
    return ref.codec.startswith("path")


def _age(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _write(path: Path, data: bytes | memoryview) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        file.write(data)
    path.chmod(_READ_ONLY)
