"""How much goes along with a run, and what is said where it is too much."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from treadle.authoring.index import KnownFolder
from treadle.authoring.places import PROJECT_MARKS
from treadle.errors import TooLarge

MOST_FILES = 100_000
MOST_BYTES = 256 * 1024 * 1024
LINKED_FROM_BYTES = 10 * 1024 * 1024  #: data files larger than this are linked, not copied
_NAMED = 5


def too_many(root: Path, folders: Mapping[str, KnownFolder]) -> TooLarge:
    """folders: those seen until the limit was reached, by path."""
    counts: dict[str, int] = {}
    for below, folder in folders.items():
        top = below.partition("/")[0] + "/" if below else "the top folder"
        counts[top] = counts.get(top, 0) + len(folder.files)
    fullest = sorted(counts, key=lambda name: -counts[name])[:_NAMED]
    named = ", ".join(f"{name} ({counts[name]:,})" for name in fullest)
    return TooLarge(
        f"the project {root} has more than {MOST_FILES:,} files; most so far in {named}.",
        hint=_leave_out(root),
    )


def check_modules(root: Path, count: int) -> None:
    """For modules beside a file that is in no project. Raises TooLarge."""
    if count > MOST_FILES:
        raise TooLarge(
            f"there are more than {MOST_FILES:,} modules beside the pipeline in {root}.",
            hint="Move the pipeline to a folder of its own.",
        )


def check_size(root: Path, sizes: Sequence[tuple[int, str]]) -> None:
    """sizes: (bytes, path) of the files that are to be copied. Raises TooLarge."""
    total = sum(size for size, _ in sizes)
    if total <= MOST_BYTES:
        return
    largest = sorted(sizes, reverse=True)[:_NAMED]
    named = ", ".join(f"{name} ({_shown(size)})" for size, name in largest)
    raise TooLarge(
        f"the project {root} has {_shown(total)} of files, more than the {_shown(MOST_BYTES)} "
        f"that go along with a run; the largest are {named}.",
        hint=_leave_out(root),
    )


def _leave_out(root: Path) -> str:
    leave_out = f"Name what no step needs in {root / '.treadleignore'}"
    mark = next((mark for mark in PROJECT_MARKS if (root / mark).exists()), None)
    if mark is None:
        return f"{leave_out}, or give the pipeline a folder of its own."
    return (
        f"{leave_out}; or, if that is not the project (it is taken for one because of its {mark}), "
        "put an empty treadle.toml into the folder that is."
    )


def _shown(size_bytes: int) -> str:
    if size_bytes < 1_000_000:
        return f"{size_bytes:,} bytes"
    return f"{size_bytes / 2**20:,.0f} MB"
