"""How a run looks in a notebook."""

from collections.abc import Sequence
from html import escape

from treadle.model.records import Job, Run

MOST_ROWS = 50


def run_table(run: Run, jobs: Sequence[Job]) -> str:
    """A heading and a table of the steps; of a long run, only the first."""
    rows = "".join(_row(job) for job in jobs[:MOST_ROWS])
    more = f"<p>and {len(jobs) - MOST_ROWS} more steps</p>" if len(jobs) > MOST_ROWS else ""
    reason = f" ({escape(run.reason)})" if run.reason else ""
    return (
        f"<p><b>{escape(run.pipeline)}</b> <code>{escape(run.id)}</code>: "
        f"{escape(run.state)}{reason}</p>"
        "<table><thead><tr><th>step</th><th>state</th><th>time</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{more}"
    )


def _row(job: Job) -> str:
    seconds = ""
    if job.started_at and job.ended_at:
        seconds = f"{(job.ended_at - job.started_at).total_seconds():.2f} s"
    said = job.failure.message if job.failure else job.reason
    cells = (job.step, job.state, seconds, said[:200])
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
