"""What is said at the end of a run: metrics, output, failures, and what to do next."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from treadle.cli import printing
from treadle.cli.door import Door, Snapshot
from treadle.cli.printing import number, say, span
from treadle.cli.result import NotShown, pipeline_output
from treadle.model.bindings import Arguments, Value
from treadle.model.records import Certificate, Failure, Job, Metric, Run
from treadle.model.states import JOB_GOOD_ENDS, JobState, RunState

MOST_STEPS = 30  #: rows of the table of metrics
MOST_FAILURES = 3
MOST_OUTPUT_BYTES = 4_000
_SNAPSHOT = re.compile(r'File "[^"]*/snapshots/[0-9a-f]{64}/')  #: where the code was unpacked

LastMetrics = dict[str, dict[str, float]]  #: job id -> metric -> its last value


def tell(door: Door, run: Run, *, options: str = "") -> None:
    """Print the end of a run for a person.

    options: what the next commands need to find the same data directory.
    """
    told = door.snapshot(run.id)
    values = last_metrics(door.metrics(run.id))
    failed = [job for job in told.jobs if job.state is JobState.FAILED]
    say()
    if any(values.values()):
        metrics_table(told.jobs, values, door.arguments(run.id))
        say()
    if run.state is RunState.COMPLETED:
        _tell_output(door, told)
    tell_failures(failed, f"treadle show {run.id}{options}")
    say(_end(told.run, told.jobs))
    has_result = bool(told.jobs) and len(door.outputs(told.jobs[-1].id)) == 1
    for line in next_steps(told.run, told.jobs, options, has_result=has_result):
        say(f"  {line}")


def document(door: Door, run: Run) -> dict[str, Any]:
    """The same for a program."""
    told = door.snapshot(run.id)
    found = {"run": told.run, "jobs": told.jobs, "metrics": door.metrics(run.id)}
    if run.state is RunState.COMPLETED:
        with contextlib.suppress(NotShown):
            return found | {"output": pipeline_output(door, told)}
    return found


def last_metrics(metrics: Iterable[Metric]) -> LastMetrics:
    """The last value of each metric of each job, its last attempt's."""
    latest: dict[str, int] = {}
    found: LastMetrics = {}
    for metric in metrics:
        if metric.attempt > latest.get(metric.job_id, -1):
            latest[metric.job_id] = metric.attempt
            found[metric.job_id] = {}
        if metric.attempt == latest[metric.job_id]:
            found[metric.job_id][metric.name] = metric.value
    return found


def metrics_table(
    jobs: Sequence[Job],
    values: LastMetrics,
    arguments: Mapping[str, Arguments],
    *,
    most: int = MOST_STEPS,
) -> None:
    """A row for each step that measured something; columns that tell its siblings apart."""
    shown = [job for job in jobs if values.get(job.id)]
    names = list(dict.fromkeys(name for job in shown for name in values[job.id]))
    apart = distinguishing(shown, arguments)
    parameters = list(dict.fromkeys(name for each in apart.values() for name in each))
    rows = []
    for job in shown[:most]:
        told = apart.get(job.id, {})
        row = [job.step, *[_short(told[p]) if p in told else "" for p in parameters]]
        row += [number(values[job.id][n]) if n in values[job.id] else "" for n in names]
        rows.append([*row, (span(job.started_at, job.ended_at), "dim")])
    printing.table(["step", *parameters, *names, "time"], rows, numbers=[*names, "time"])
    if len(shown) > most:
        say(f"... and {len(shown) - most} more: treadle metrics {jobs[0].run_id}")


def distinguishing(
    jobs: Sequence[Job], arguments: Mapping[str, Arguments]
) -> dict[str, dict[str, Any]]:
    """Job id -> its plain arguments that are not the same for all steps of its tool."""
    by_tool: dict[str, list[str]] = {}
    for job in jobs:
        by_tool.setdefault(job.tool_id, []).append(job.id)
    found: dict[str, dict[str, Any]] = {}
    for ids in by_tool.values():
        plain = {i: _plain(arguments.get(i, {})) for i in ids}
        for name in dict.fromkeys(n for each in plain.values() for n in each):
            if len({repr(each.get(name)) for each in plain.values()}) > 1:
                for i in ids:
                    found.setdefault(i, {})[name] = plain[i].get(name)
    return found


def _plain(arguments: Arguments) -> dict[str, Any]:
    return {name: b.value for name, b in arguments.items() if isinstance(b, Value)}


def _short(value: Any) -> str:
    text = printing.compact(value)
    return text if len(text) <= 24 else text[:23] + "…"


def _tell_output(door: Door, told: Snapshot) -> None:
    try:
        output = pipeline_output(door, told, most_bytes=MOST_OUTPUT_BYTES)
    except NotShown:
        return
    if output is None:
        return
    text = printing.compact(output)
    say(f"output  {text}" if len(text) <= 80 else f"output\n{printing.indented(output)}")
    say()


def tell_failures(
    failed: Sequence[Job], how_to_see_all: str, *, most: int | None = MOST_FAILURES
) -> None:
    """The first few different failures, or all; steps that failed alike are told together."""
    alike: dict[Any, list[Job]] = {}
    for job in failed:
        if job.failure is not None:
            alike.setdefault((job.failure.message, job.failure.traceback), []).append(job)
    shown = list(alike.values())[:most]
    for jobs in shown:
        _tell_failure(jobs)
    told = sum(len(jobs) for jobs in shown)
    if len(failed) > told:
        say(f"... and {len(failed) - told} more failed steps: {how_to_see_all}\n")


def _tell_failure(jobs: Sequence[Job]) -> None:
    """Message, the user's traceback, death certificate, hint."""
    job, failure = jobs[0], jobs[0].failure
    assert failure is not None
    who = job.step + (f" and {len(jobs) - 1} more" if len(jobs) > 1 else "")
    attempts = f" after {job.attempt} attempts" if job.attempt > 1 else ""
    printing.heading(f"{who} failed{attempts} ({failure.type}): {failure.message}")
    if failure.traceback:
        traceback = _SNAPSHOT.sub('File "', failure.traceback.rstrip())
        say("\n".join(f"  {line}" for line in traceback.splitlines()))
    else:  # a script that raised has both, and they say the same
        for line in certificate_lines(failure):
            say(f"  {line}")
    if failure.hint:
        say(f"  {failure.hint}")
    say()


def certificate_lines(failure: Failure) -> list[str]:
    """A death certificate in words."""
    found = failure.certificate
    if found is None:
        return []
    cause = _cause(found)
    facts = [] if cause in failure.message else [f"its process {cause}"]
    if found.peak_memory_bytes:
        facts.append(f"peak memory {printing.size(found.peak_memory_bytes)}")
    lines = ["; ".join(facts)] if facts else []
    if found.last_lines:
        lines += [
            "it printed last:",
            *(f"  {line}" for line in found.last_lines.splitlines()[-10:]),
        ]
    return lines


def _cause(found: Certificate) -> str:
    cause = "ended"
    if found.signal is not None:
        cause = f"was killed by {printing.signal_name(found.signal)}"
    elif found.exit_code is not None:
        cause = f"exited with code {found.exit_code}"
    return f"{cause}, out of memory" if found.out_of_memory else cause


def _end(run: Run, jobs: Sequence[Job]) -> str:
    good = sum(job.state in JOB_GOOD_ENDS for job in jobs)
    took = span(run.created_at, run.ended_at)
    what = f"{good} of {len(jobs)} steps"
    if run.state is not RunState.COMPLETED:
        what = run.reason if run.state is RunState.FAILED and run.reason else f"{what} completed"
    return f"{run.pipeline} {run.state} in {took}: {what}"


def next_steps(
    run: Run, jobs: Sequence[Job], options: str = "", *, has_result: bool = True
) -> list[str]:
    """Commands worth typing now, with what they do. has_result: the last step has one output."""
    if run.state is RunState.COMPLETED:
        last = jobs[-1].step if jobs else "STEP"
        found = [(f"treadle show {run.id}", "steps, times, parameters")]
        found += [(f"treadle logs {run.id} {last}", "what a step printed")]
        if has_result:
            found += [(f"treadle get {run.id} {last} -o FILE", "its result")]
        else:
            found += [(f"treadle artifacts {run.id}", "what the steps made")]
    else:
        failed = next((job.step for job in jobs if job.state is JobState.FAILED), "")
        found = [(f"treadle logs {run.id} {failed}".rstrip(), "what it printed")]
        found += [(f"treadle retry {run.id}", "run it again; completed steps are reused")]
    found = [(command + options, does) for command, does in found]
    width = max(len(command) for command, _ in found)
    return [f"{command:<{width}}  {does}" for command, does in found]
