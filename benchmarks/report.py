"""The table: as markdown, as JSON, and into the documents that show it."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Measured, spread
from benchmarks.rows import ROWS, Contender, Row, Unit

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SCALES: dict[Unit, tuple[float, str]] = {
    "ms": (1e3, " ms"),
    "s": (1, " s"),
    "MB": (1e-6, " MB"),
    "/s": (1, " /s"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row as measured. peers: name -> (median, least, most), or why it has none."""

    name: str
    ours: tuple[float, float, float] | None
    problem: str
    peers: dict[str, tuple[float, float, float] | str]


def line_of(row: Row, results: Mapping[Contender, Measured]) -> Line:
    ours = results[row.ours]
    peers: dict[str, tuple[float, float, float] | str] = {}
    for peer in row.peers:
        if peer in results:
            found = results[peer]
            peers[peer.name] = found.problem or spread(found.of(row.note))
    measured = None if ours.problem else spread(ours.of(row.note))
    return Line(name=row.name, ours=measured, problem=ours.problem, peers=peers)


def show(value: float, unit: Unit) -> str:
    """Three significant digits, with the unit."""
    scale, suffix = SCALES.get(unit, (1, " x"))
    scaled = value * scale
    digits = 0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2
    return f"{scaled:,.{digits}f}{suffix}"


def _budget(row: Row) -> str:
    if row.at_most is not None:
        return f"<= {show(row.at_most, row.unit)}"
    return f">= {show(row.at_least, row.unit)}" if row.at_least is not None else "-"


def _verdict(row: Row, value: float) -> str:
    if row.at_most is not None and value > row.at_most:
        return f"no, {value / row.at_most:.2f} times as much"
    if row.at_least is not None and value < row.at_least:
        return f"no, {value / row.at_least:.2f} of it"
    return "yes"


def _beside(row: Row, line: Line) -> str:
    if not line.peers:
        return "-"
    return "; ".join(_one_peer(row, line, name) for name in line.peers)


def _one_peer(row: Row, line: Line, name: str) -> str:
    found = line.peers[name]
    if isinstance(found, str):
        return f"{name}: not measured ({found})"
    text = f"{name} {show(found[0], row.unit)}"
    if line.ours is None or row.unit == "x" or line.ours[0] <= 0:
        return text
    ratio = found[0] / line.ours[0]
    return f"{text} ({ratio:{'.2g' if ratio < 1 else '.1f'}} x ours)"


def markdown(lines: list[Line]) -> str:
    by_name = {line.name: line for line in lines}
    out = [
        "| what | ours (least to most) | budget | met | beside it, in the same call |",
        "|---|---|---|---|---|",
    ]
    for row in ROWS:
        line = by_name.get(row.name)
        if line is None:
            continue
        if line.ours is None:
            cells = [f"not measured: {line.problem}", _budget(row), "-"]
        else:
            middle, least, most = (show(value, row.unit) for value in line.ours)
            cells = [f"{middle} ({least} to {most})", _budget(row), _verdict(row, line.ours[0])]
        out.append(f"| {row.title} | " + " | ".join([*cells, _beside(row, line)]) + " |")
    remarks = [f"{row.title}: {row.remark}." for row in ROWS if row.remark and row.name in by_name]
    return "\n".join([*out, "", _where(), "", *remarks]) + "\n"


def _where() -> str:
    return (
        f"Medians, measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, Linux {platform.release().split('-')[0]}."
    )


def save(lines: list[Line], *, comparable: bool) -> Path:
    """Keep the lines; those measured beside their peers also become the latest of their row."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps([asdict(line) for line in lines], indent=1))
    if comparable:
        merged = {line.name: line for line in latest()} | {line.name: line for line in lines}
        text = json.dumps([asdict(line) for line in merged.values()], indent=1)
        (RESULTS / "latest.json").write_text(text)
    return path


def latest() -> list[Line]:
    """The last comparable measurement of each row; empty when there is none."""
    path = RESULTS / "latest.json"
    return [Line(**line) for line in json.loads(path.read_text())] if path.exists() else []


def write_into(document: Path, lines: list[Line]) -> None:
    """Replace what stands between the two marks."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{document} has no lines {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{markdown(lines)}{END}{after}")
