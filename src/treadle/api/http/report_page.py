"""The report of a job as a web page that needs nothing else: no script, nothing to fetch."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from treadle.api.http.encode import encode

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}
td,th{border-bottom:1px solid #ddd}
td{overflow-wrap:anywhere}
pre{background:#f4f4f4;padding:.75rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
.completed,.reused{color:#1a7f37}.failed{color:#cf222e}.aborted,.skipped{color:#9a6700}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}pre{background:#222}
td,th{border-color:#333}}
"""
_FACTS = ("id", "run_id", "step", "user", "created_at", "started_at", "ended_at", "reason")


def page_of(report: Mapping[str, Any]) -> str:
    """The page."""
    job = report["job"]
    title = f"{job['step']}: {job['state']}"
    parts = [
        f"<h1>{_text(job['step'])} {_state(job['state'])}</h1>",
        _table((name.replace("_", " "), job[name]) for name in _FACTS if job[name]),
        _failure(job["failure"]),
        _section("Tool", _table(job["tool"].items())),
        _section("Arguments", _table((k, _json(v)) for k, v in job["arguments"].items())),
        _section("Attempts", _attempts(job["attempts"])),
        _section("Outputs", _outputs(job["outputs"])),
        _section("Metrics", _table((each["name"], each["value"]) for each in report["metrics"])),
        _log(report["log"]),
    ]
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )


def _text(value: Any) -> str:
    return escape("" if value is None else str(value))


def _state(state: str) -> str:
    return f'<span class="{_text(state)}">{_text(state)}</span>'


def _json(value: Any) -> str:
    return encode(value).decode("utf-8", "replace")


def _section(title: str, content: str) -> str:
    return f"<h2>{_text(title)}</h2>{content}" if content else ""


def _table(pairs: Iterable[tuple[str, Any]]) -> str:
    rows = "".join(f"<tr><th>{_text(k)}</th><td>{_text(v)}</td></tr>" for k, v in pairs)
    return f"<table>{rows}</table>" if rows else ""


def _columns(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in row)}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>" if body else ""


def _failure(failure: Any) -> str:
    if failure is None:
        return ""
    told = [("type", failure.type), ("message", failure.message), ("next step", failure.hint)]
    content = _table((name, value) for name, value in told if value)
    if failure.traceback:
        content += f"<pre>{_text(failure.traceback)}</pre>"
    return _section("Failure", content)


def _attempts(attempts: Iterable[Any]) -> str:
    names = ("number", "end", "started", "ended", "peak memory", "CPU seconds", "how it ended")
    return _columns(
        names,
        (
            (
                each.number,
                each.end or "under way",
                each.started_at,
                each.ended_at,
                each.peak_memory_bytes,
                each.cpu_seconds,
                _certificate(each.failure),
            )
            for each in attempts
        ),
    )


def _certificate(failure: Any) -> str:
    """The failure in a line, with what the death certificate says."""
    if failure is None:
        return ""
    told = [f"{failure.type}: {failure.message}"]
    if (found := failure.certificate) is not None:
        told += [f"signal {found.signal}"] if found.signal is not None else []
        told += [f"exit code {found.exit_code}"] if found.exit_code is not None else []
        told += ["out of memory"] if found.out_of_memory else []
    return "; ".join(told)


def _outputs(outputs: Mapping[str, Any]) -> str:
    return _columns(
        ("name", "bytes", "media type", "codec", "digest"),
        (
            (name, each["size_bytes"], each["media_type"], each["codec"], each["digest"])
            for name, each in outputs.items()
        ),
    )


def _log(log: Mapping[str, Any]) -> str:
    if not log["size_bytes"]:
        return ""
    title = f"Log of attempt {log['attempt']}: {log['size_bytes']:,} bytes"
    title += ", the end" if log["offset"] else ""
    return _section(title, f"<pre>{_text(log['tail'])}</pre>")
