"""`python -m benchmarks`: measure Treadle beside its peers and print the table."""

import argparse
import signal
import sys

from benchmarks import report
from benchmarks.measure import measure
from benchmarks.rows import ROWS, Row
from benchmarks.venvs import python_of

DOCUMENTS = {
    "write_readme": report.ROOT / "README.md",
    "write_docs": report.ROOT / "docs" / "why" / "README.md",
}


def parsed() -> argparse.Namespace:
    names = ", ".join(row.name for row in ROWS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--ours-only", action="store_true", help="measure no peers")
    parser.add_argument("--only", action="append", metavar="NAME", help=f"one of: {names}")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each (default 3)")
    parser.add_argument("--latest", action="store_true", help="show the last ones, measure nothing")
    parser.add_argument("--write-readme", action="store_true", help="put the table into README.md")
    parser.add_argument("--write-docs", action="store_true", help="put it into docs/why")
    chosen = parser.parse_args()
    unknown = set(chosen.only or ()) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no row named {', '.join(sorted(unknown))}; there are: {names}")
    return chosen


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measured(rows: list[Row], *, ours_only: bool, repeats: int) -> list[report.Line]:
    """A line for each row; a script that two rows share is run for both at once."""
    lines, known = [], {}
    for row in rows:
        contenders = [row.ours, *(() if ours_only else row.peers)]
        missing = [contender for contender in contenders if contender not in known]
        known |= measure(missing, repeats=repeats, python_of=python_of, tell=tell)
        lines.append(report.line_of(row, known))
    return lines


def main() -> int:
    chosen = parsed()
    # A terminated benchmark takes the script that it is measuring with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if chosen.latest:
        lines = report.latest()
    else:
        rows = [row for row in ROWS if row.name in (chosen.only or [row.name])]
        lines = measured(rows, ours_only=chosen.ours_only, repeats=chosen.repeats)
        path = report.save(lines, comparable=not chosen.ours_only)
        tell(f"Kept in {path}")
    print(report.markdown(lines))
    for option, document in DOCUMENTS.items():
        if getattr(chosen, option):
            report.write_into(document, report.latest())
    return 1 if any(line.ours is None for line in lines) else 0


sys.exit(main())
