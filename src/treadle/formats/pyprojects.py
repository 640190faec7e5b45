"""What a pyproject.toml asks for: [project].dependencies, extras, dependency groups (PEP 735)."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.errors import InvalidDefinition
from treadle.formats.files import Files
from treadle.model.graph import nearest

_ITSELF = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*\[([^\]]*)\]\s*$")


def dependencies(
    path: Path, extras: Sequence[str], groups: Sequence[str], where: str, files: Files
) -> tuple[str, ...]:
    """The requirements, those of the extras and groups included. Raises InvalidDefinition."""
    return _Pyproject(_read(path, where, files), path.name, where).requirements(extras, groups)


def _read(path: Path, where: str, files: Files) -> dict[str, Any]:
    try:
        return tomllib.loads(files.read_text(path, where))
    except tomllib.TOMLDecodeError as error:
        raise InvalidDefinition(f"{path.name}: not valid TOML: {error}.", where=where) from None


@dataclass(frozen=True, slots=True)
class _Pyproject:
    document: dict[str, Any]
    name: str
    where: str

    def requirements(self, extras: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
        project = self._table(self.document, "project")
        if not project and not groups:
            raise self._error("it has no [project] table.", "List the packages in `requirements`.")
        self._refuse_dynamic(project, extras)
        found = list(self._texts(project.get("dependencies", []), "dependencies"))
        known = self._table(project, "optional-dependencies")
        own = _plain(str(project.get("name", "")))
        for extra in extras:
            found += self._extra(known, extra, own, ())
        tables = self._table(self.document, "dependency-groups")
        for group in groups:
            found += self._group(tables, group, ())
        return tuple(dict.fromkeys(found))

    def _refuse_dynamic(self, project: Mapping[str, Any], extras: Sequence[str]) -> None:
        for key in ("dependencies", *(["optional-dependencies"] if extras else [])):
            if key in project.get("dynamic", []):
                raise self._error(
                    f"its {key} are dynamic: only the project's build knows them.",
                    "List the packages in `requirements`.",
                )

    def _extra(
        self, known: Mapping[str, Any], extra: str, own: str, above: tuple[str, ...]
    ) -> Iterator[str]:
        """An extra may name others of the same project: all = ["project[a,b]"]."""
        for line in self._texts(*self._entry(known, extra, "extra", above)):
            itself = _ITSELF.match(line)
            if itself and _plain(itself.group(1)) == own:
                for other in itself.group(2).split(","):
                    yield from self._extra(known, other.strip(), own, (*above, _plain(extra)))
            else:
                yield line

    def _group(self, known: Mapping[str, Any], group: str, above: tuple[str, ...]) -> Iterator[str]:
        entries, name = self._entry(known, group, "dependency group", above)
        for entry in entries if isinstance(entries, list) else [entries]:
            if isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
                yield from self._group(known, entry["include-group"], (*above, _plain(group)))
            else:
                yield from self._texts([entry], name)

    def _entry(
        self, known: Mapping[str, Any], wanted: str, what: str, above: tuple[str, ...]
    ) -> tuple[Any, str]:
        if _plain(wanted) in above:
            raise self._error(f"its {what}s include each other: {' -> '.join((*above, wanted))}.")
        for name, entries in known.items():
            if _plain(name) == _plain(wanted):
                return entries, name
        raise self._error(f"it has no {what} {wanted!r}.", nearest(wanted, known))

    def _texts(self, value: Any, name: str) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._error(f"{name}: expected a list of requirements.")
        return value

    def _table(self, parent: Mapping[str, Any], name: str) -> dict[str, Any]:
        table = parent.get(name, {})
        if not isinstance(table, dict):
            raise self._error(f"[{name}] is no table.")
        return table

    def _error(self, message: str, hint: str = "") -> InvalidDefinition:
        return InvalidDefinition(f"{self.name}: {message}", where=self.where, hint=hint)


def _plain(name: str) -> str:
    """Names of extras and groups are equal without regard to case, dashes, dots, underscores."""
    return re.sub(r"[-_.]+", "-", name).lower()
