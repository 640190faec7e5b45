"""Lines of .gitignore as regular expressions, just as git reads them (its dir.c and wildmatch.c).

Libraries read brackets, classes and `**` otherwise than git, and match files where git matches
entries of folders. A test compares this with git itself. Git matches bytes: text here has one
character for each byte.
"""

import re
from dataclasses import dataclass

_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~",
    "punct": r"!-/:-@\[-`{-~", "space": r" \t\n\r\f\v", "upper": "A-Z", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_LITERAL = re.compile(r"[^*?\[\\]*")
_RANGE = re.compile(r"-[^\]]")
_STARS = re.compile(r"\*+")


class _NothingError(ValueError):
    """The pattern is malformed, so it matches nothing."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. text: as it stands; takes_in: it begins with "!"."""

    text: str
    regex: "re.Pattern[str]"
    takes_in: bool
    folders_only: bool
    name_only: bool  #: it has no slash, so only the last part of a path is matched

    def matches(self, path: str, name: str, *, is_folder: bool) -> bool:
        if self.folders_only and not is_folder:
            return False
        return self.regex.fullmatch(name if self.name_only else path) is not None


def as_bytes(path: str) -> str:
    """The path with one character for each byte."""
    if path.isascii():
        return path
    return path.encode("utf-8", "surrogateescape").decode("latin-1")


def patterns_in(data: bytes) -> tuple[Pattern, ...]:
    """The patterns of a file of rules, the last first."""
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1").split("\n")
    found = (pattern(line.removesuffix("\r")) for line in reversed(lines))
    return tuple(each for each in found if each is not None)


def pattern(line: str) -> Pattern | None:
    """The pattern on a line; None for none, or one that matches nothing."""
    text = _without_trailing_spaces(line)
    if not text or text.startswith("#"):
        return None
    takes_in = text.startswith("!")
    body = text[1:] if takes_in else text
    folders_only = body.endswith("/")
    body = body[:-1] if folders_only else body
    name_only = "/" not in body
    try:
        regex = re.compile(_translated(body.removeprefix("/"), name_only=name_only), re.DOTALL)
    except _NothingError:
        return None
    return Pattern(text, regex, takes_in, folders_only, name_only)


def _without_trailing_spaces(line: str) -> str:
    end = index = 0
    while index < len(line):
        if line[index] == "\\":
            index += 1
            if index == len(line):
                return line
            end = index + 1
        elif line[index] != " ":
            end = index + 1
        index += 1
    return line[:end]


def _translated(body: str, *, name_only: bool) -> str:
    # Git compares the part before the first special character by itself; so what follows counts
    # as a beginning, which `**` asks for.
    start = 0 if name_only else len(_LITERAL.match(body)[0])  # type: ignore[index]
    out, index = [re.escape(body[:start])], start
    while index < len(body):
        character = body[index]
        if character == "*":
            made, index = _stars(body, index, start)
        elif character == "[":
            made, index = _bracket(body, index + 1)
        elif character == "?":
            made, index = "[^/]", index + 1
        else:
            index += character == "\\"
            if index == len(body):
                raise _NothingError
            made, index = re.escape(body[index]), index + 1
        out.append(made)
    return "".join(out)


def _stars(body: str, index: int, start: int) -> tuple[str, int]:
    """`*` within a part of a path; `**` as a whole part is any number of parts."""
    end = _STARS.match(body, index).end()  # type: ignore[union-attr]
    whole_part = (index == start or body[index - 1] == "/") and (
        end == len(body) or body[end] == "/" or body[end : end + 2] == "\\/"
    )
    if end - index == 1 or not whole_part:
        return "[^/]*", end
    if body[end : end + 1] == "/":
        return "(?:.*/)?", end + 1
    return ".*", end


def _bracket(body: str, index: int) -> tuple[str, int]:
    """(a set, the index behind it) of what stands behind "["."""
    negated = body[index : index + 1] in ("!", "^")
    index += negated
    items: list[str] = []
    before, first = "", True
    while first or body[index : index + 1] != "]":
        first = False
        if body.startswith("[:", index) and (made := _class(body, index)) is not None:
            item, index = made
            before = ""
        elif before and _RANGE.match(body, index):
            last, index = _one(body, index + 1)
            item = f"{re.escape(before)}-{re.escape(last)}" if before <= last else ""
            before = ""
        else:
            before, index = _one(body, index)
            item = re.escape(before)
        items.append(item)
    found = "".join(items)
    if negated:
        return f"[^/{found}]", index + 1
    return (f"(?!/)[{found}]" if found else "(?!)"), index + 1


def _one(body: str, index: int) -> tuple[str, int]:
    """A character of a set, which may stand behind a backslash."""
    index += body[index : index + 1] == "\\"
    if index >= len(body):
        raise _NothingError
    return body[index], index + 1


def _class(body: str, index: int) -> tuple[str, int] | None:
    """[:name:]; None if it is not one, but a plain "["."""
    end = body.find("]", index + 2)
    if end < 0:
        raise _NothingError
    if end - index < 3 or body[end - 1] != ":":
        return None
    name = body[index + 2 : end - 1]
    if name not in _CLASSES:
        raise _NothingError
    return _CLASSES[name], end + 1
