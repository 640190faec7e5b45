"""Requirements files, read whole: what they include is put in its place, so nothing is left to
look up where the environment is built.

A line of a constraints file becomes "-c <requirement>"; all else is as pip and uv read it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from treadle.errors import InvalidDefinition
from treadle.formats.files import DISK, Files
from treadle.model.graph import nearest

_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=|(?<=-[rc]))(\S.*)$")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSIONS = r"(?:===|==|!=|<=|>=|~=|<|>)\s*[^\s;,()]+"
SOURCES = ("index", "url"), ("extra-index", "url"), ("find", "links")
_REQUIREMENT = re.compile(
    rf"{_NAME}\s*(?:\[[^\]]*\])?\s*"
    rf"(?:@\s*\S+|\(?\s*(?:{_VERSIONS}\s*,?\s*)*\)?)\s*(?:;.+)?(?:\s+--hash[=\s]\S+)*$"
)
_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/@\s]+)@")
_VARIABLE = re.compile(r"(?:\$\{[A-Z0-9_]+\}|:)+$")
_CONDA_TOKEN = re.compile(r"://[^\s]*/t/(?!\$)[^/\s]+/")
#: Options that name a place to look for packages; then others with a value, then those without.
_PLACES = "-i", "-f", *(f"--{kind}-{what}" for kind, what in SOURCES)
_WITH_VALUE = (*_PLACES, "--trusted-host", "--no-binary", "--only-binary", "--use-feature")
_FLAGS = "--no-index", "--pre", "--prefer-binary", "--require-hashes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where lines stand. folder: what relative paths start from. where: of the whole, for errors.

    above: the files that include this one. constraint: the lines only constrain.
    """

    folder: Path
    where: str
    file: str = ""
    above: tuple[Path, ...] = ()
    constraint: bool = False
    files: Files = DISK

    def error(self, message: str, hint: str = "", number: int = 0) -> InvalidDefinition:
        place = f"{self.file}:{number}" if self.file and number else self.file
        text = f"{place}: {message}" if place else message
        return InvalidDefinition(text, where=self.where, hint=hint)


def read_file(path: Path, site: Site) -> tuple[str, ...]:
    """The lines of the file and of all it includes. Raises InvalidDefinition."""
    if path in site.above:
        chain = " -> ".join(each.name for each in (*site.above, path))
        raise site.error(f"the files include each other: {chain}.")
    text = site.files.read_text(path, site.where)
    inside = Site(
        folder=path.parent,
        where=site.where,
        file=path.name,
        above=(*site.above, path),
        constraint=site.constraint,
        files=site.files,
    )
    return tuple(_expanded(_joined(text), inside))


def read_lines(lines: Sequence[str], site: Site) -> tuple[str, ...]:
    """The lines with all they include. Raises InvalidDefinition."""
    return tuple(_expanded(_joined("\n".join(lines)), site))


def check_credentials(text: str, site: Site, number: int = 0) -> None:
    """Raise InvalidDefinition where a URL holds a user's name or password, or a token."""
    for scheme, user in _USER.findall(text):
        plain_name = "ssh" in scheme and ":" not in user
        if not plain_name and not _VARIABLE.match(user):
            break
    else:
        if not _CONDA_TOKEN.search(text):
            return
    raise site.error(
        "a URL holds credentials, which would be stored in clear with the run.",
        "Write ${NAME} in their place and set that variable where the server runs, or use ~/.netrc",
        number,
    )


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) of what is no comment, continued lines as one."""
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1].rstrip() + " "
            continue
        if whole := _COMMENT.sub("", pending + line.strip()).strip():
            yield first, whole
        pending, first = "", 0
    if whole := _COMMENT.sub("", pending).strip():
        yield first, whole


def _expanded(lines: Iterator[tuple[int, str]], site: Site) -> Iterator[str]:
    for number, line in lines:
        if found := _INCLUDE.match(line):
            yield from _included(line, found.group(1).strip(), site, number)
        elif line.startswith("-"):
            _check_option(line, site, number)
            yield line
        else:
            _check_requirement(line, site, number)
            yield f"-c {line}" if site.constraint else line


def _included(line: str, name: str, site: Site, number: int) -> tuple[str, ...]:
    constraint = line.startswith(("-c", "--c")) or site.constraint
    if (
        constraint
        and not site.constraint
        and _REQUIREMENT.match(name)
        and not _is_there(name, site)
    ):
        check_credentials(name, site, number)
        return (f"-c {name}",)
    if "://" in name:
        raise site.error(
            f"{name} is elsewhere, and may be another file when the environment is built.",
            "Save it beside this file.",
            number,
        )
    path = Path(site.folder, name)
    if not site.files.is_file(path):
        message = f"there is no file {name} in {site.folder}."
        raise site.error(message, site.files.hint, number)
    below = Site(
        folder=site.folder,
        where=site.where,
        file=site.file,
        above=site.above,
        constraint=constraint,
        files=site.files,
    )
    return read_file(path, below)


def _is_there(name: str, site: Site) -> bool:
    return site.files.exists(Path(site.folder, name)) or name.endswith((".txt", ".in"))


def _check_option(line: str, site: Site, number: int) -> None:
    check_credentials(line, site, number)
    option, _, value = line.replace("=", " ", 1).partition(" ")
    if option in ("-e", "--editable"):
        raise site.error(*_editable(value.strip()), number)
    if option in _FLAGS:
        return
    if option not in _WITH_VALUE:
        known = (*_WITH_VALUE, *_FLAGS, "--requirement", "--constraint")
        raise site.error(f"unknown option {option!r}.", nearest(option, known), number)
    if not value.strip():
        raise site.error(f"{option} stands without its value.", number=number)
    if option in _PLACES and "://" not in value and not value.strip().startswith(("/", "$")):
        raise site.error(
            f"{value.strip()} is a relative path, which leads nowhere once the run is submitted.",
            "Give the whole path.",
            number,
        )


def _editable(what: str) -> tuple[str, str]:
    if "://" in what:
        return f"{what} would be editable, so that it could change.", "Leave out `-e`."
    return _PROJECT_ITSELF.format(what), _PROJECT_HINT


_PROJECT_ITSELF = "{} is a folder or file beside this one, not a package of an index."
_PROJECT_HINT = (
    "If it is the project itself, leave the line out: its code is in the snapshot that every step "
    "gets. Otherwise give the whole path."
)


def _check_requirement(line: str, site: Site, number: int) -> None:
    check_credentials(line, site, number)
    target = line.partition("@")[2].strip() if "@" in line else line
    if target.startswith(".") or (target is line and _is_relative_path(line)):
        raise site.error(_PROJECT_ITSELF.format(line), _PROJECT_HINT, number)
    if "://" in line or line.startswith("/"):
        return
    if line.endswith((".txt", ".in")) or not _REQUIREMENT.match(line):
        raise site.error(f"{line!r} is no requirement.", _repair(line), number)


def _is_relative_path(line: str) -> bool:
    path = line.partition(";")[0].strip()
    if "://" in path or path.startswith("/"):
        return False
    return "/" in path.partition(" ")[0] or path.endswith((".whl", ".tar.gz", ".zip"))


def _repair(line: str) -> str:
    if line.endswith((".txt", ".in")):
        return f"For a file write -r {line}"
    if repaired := re.sub(rf"^({_NAME})\s*=\s*(?==*[0-9])", r"\1==", line):
        if repaired != line and _REQUIREMENT.match(repaired):
            return f"Did you mean {repaired!r}?"
    return "Expected a name, perhaps with a version: numpy, numpy==2.1, numpy>=2,<3."
