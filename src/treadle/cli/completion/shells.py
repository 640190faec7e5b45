"""How each shell asks and is answered, as typer's scripts for it expect."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from treadle.cli.completion.engine import Candidate

Asked = tuple[list[str], str]  #: (the words before, the one that is being typed)
BREAKS = (":", "=", "@")  #: what bash takes for a word by itself


@dataclass(frozen=True, slots=True)
class Shell:
    """asked: what was typed; told: (what to print, exit code)."""

    asked: Callable[[Mapping[str, str]], Asked]
    told: Callable[[Sequence[Candidate], str, Mapping[str, str]], tuple[str, int]]


def split(text: str) -> list[str]:
    """Words as a shell has them; a quote that is still open is closed."""
    for end in ("", '"', "'"):
        try:
            return shlex.split(text + end)
        except ValueError:
            continue
    return text.split()


def _asked_by_bash(environ: Mapping[str, str]) -> Asked:
    """Bash splits at `:`, `=` and `@` too; such pieces become one word again."""
    pieces = environ.get("COMP_WORDS", "").split("\n")
    here = int(environ.get("COMP_CWORD") or len(pieces) - 1)
    pieces = [*pieces, ""][: here + 1]
    words: list[str] = []
    glued = False
    for piece in pieces:
        is_break = piece in BREAKS
        if glued or (is_break and piece != "@" and len(words) > 1):
            words[-1] += piece
        else:
            words.append(piece)
        glued = is_break
    *before, last = words
    return [word for each in before[1:] for word in split(each)], "".join(split(last))


def _told_to_bash(
    found: Sequence[Candidate], incomplete: str, environ: Mapping[str, str]
) -> tuple[str, int]:
    """One on a line; what stands before a break is there already."""
    kept = max((incomplete.rfind(each) + 1 for each in BREAKS), default=0)
    return "\n".join(value[kept:] for value, _ in found), 0


def _asked_by_others(environ: Mapping[str, str]) -> Asked:
    text = environ.get("_TYPER_COMPLETE_ARGS", "")
    words = split(text)[1:]
    if not words or text.endswith(" "):
        return words, ""
    return words[:-1], words[-1]


def _told_to_zsh(
    found: Sequence[Candidate], incomplete: str, environ: Mapping[str, str]
) -> tuple[str, int]:
    """Code that is evaluated: every word of it is quoted. In our order (newest first)."""
    if not found:
        return "_files", 0
    words = [shlex.quote(f"{_plain(v)}:{h}" if h else _plain(v)) for v, h in found]
    return f"local -a found; found=({' '.join(words)}); _describe -V '' found", 0


def _plain(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:")


def _told_to_fish(
    found: Sequence[Candidate], incomplete: str, environ: Mapping[str, str]
) -> tuple[str, int]:
    if environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args":
        return "", 0 if found else 1  # 1: fish offers files
    return "\n".join(f"{value}\t{help}" if help else value for value, help in found), 0


SHELLS = {
    "bash": Shell(_asked_by_bash, _told_to_bash),
    "zsh": Shell(_asked_by_others, _told_to_zsh),
    "fish": Shell(_asked_by_others, _told_to_fish),
}
