"""Groups of runs: those that share the label `group`, and what tells them apart.

Pure: records go in, a comparison comes out. Everything that shows groups builds on this page.
"""

import math
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from treadle.errors import InvalidRequest
from treadle.model.graph import nearest
from treadle.model.records import Metric, Run
from treadle.model.states import RUN_ENDS, RunState

GROUP = "group"  #: the label
LONGEST_NAME = 100
_NAME = re.compile(r"\w[\w.+-]*")

Measured = Mapping[str, Mapping[str, float]]  #: run id -> metric -> its last value


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The runs of one name, counted. A run that was retried is counted as its retry alone."""

    name: str
    newest: str  #: id of its newest run
    pipelines: tuple[str, ...]
    states: Mapping[str, int]  #: run state -> how many
    created_at: datetime  #: of the first run
    ended_at: datetime | None  #: of the last to end; None while one has not ended

    @property
    def runs(self) -> int:
        return sum(self.states.values())

    @property
    def ended(self) -> int:
        return sum(count for state, count in self.states.items() if RunState(state) in RUN_ENDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What makes one run better than another: a metric, the higher the better unless `smallest`."""

    metric: str
    smallest: bool = False

    @classmethod
    def read(cls, text: str) -> "Goal":
        """Of `accuracy`, `accuracy:max` or `loss:min`."""
        metric, colon, way = text.rpartition(":")
        if not colon or way not in ("min", "max"):
            metric, way = text, "max"
        if not metric:
            raise InvalidRequest(
                "--best wants the name of a metric.", hint="--best accuracy, or --best loss:min"
            )
        return cls(metric=metric, smallest=way == "min")

    def __str__(self) -> str:
        return f"{'lowest' if self.smallest else 'highest'} {self.metric}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A run beside its siblings: the parameters that vary, and its metrics' last values."""

    run: Run
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    began_at: datetime | None = None  #: when its first step started; it may have queued for long


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The runs of a group, best first where a goal was given, else oldest first."""

    parameters: tuple[str, ...]  #: those that are not the same for all
    metrics: tuple[str, ...]
    trials: tuple[Trial, ...]
    best: str | None = None  #: id of the best run that completed

    def refuse_unknown(self, goal: Goal) -> None:
        """Raises InvalidRequest where there are metrics, but not the one asked for."""
        if self.metrics and goal.metric not in self.metrics:
            raise InvalidRequest(
                f"No run of the group has logged {goal.metric!r}.",
                hint=nearest(goal.metric, self.metrics) or f"There is {', '.join(self.metrics)}.",
            )


def compare(
    runs: Iterable[Run],
    measured: Measured,
    goal: Goal | None = None,
    began: Mapping[str, datetime] | None = None,
) -> Comparison:
    """Lay the runs side by side; those that were retried are left out for their retries.

    began: run id -> when its first step started.
    """
    shown = present(runs)
    names = varying(run.parameters for run in shown)
    trials = [
        Trial(
            run=run,
            parameters={n: run.parameters[n] for n in names if n in run.parameters},
            metrics=measured.get(run.id, {}),
            began_at=(began or {}).get(run.id),
        )
        for run in shown
    ]
    best = None
    if goal is not None:
        trials.sort(key=lambda trial: rank(trial.run, trial.metrics, goal))
        if trials and rank(trials[0].run, trials[0].metrics, goal)[:2] == (False, False):
            best = trials[0].run.id
    metrics = dict.fromkeys(name for trial in trials for name in trial.metrics)
    return Comparison(parameters=names, metrics=tuple(metrics), trials=tuple(trials), best=best)


def rank(run: Run, metrics: Mapping[str, float], goal: Goal) -> tuple[bool, bool, float]:
    """Sorts the best first: those without the metric last, those that did not complete before."""
    value = metrics.get(goal.metric, math.nan)
    unfinished = run.state is not RunState.COMPLETED
    if math.isnan(value):
        return True, unfinished, 0.0
    return False, unfinished, (value if goal.smallest else -value)


def present(runs: Iterable[Run]) -> list[Run]:
    """The runs, oldest first, without those that another of them is a retry of."""
    found = sorted(runs, key=lambda run: run.id)
    retried = {run.retry_of for run in found}
    return [run for run in found if run.id not in retried]


def varying(parameters: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Names of the parameters that are not the same for all."""
    seen: dict[str, set[str]] = {}
    every = list(parameters)
    for name in dict.fromkeys(name for each in every for name in each):
        seen[name] = {repr(each[name]) if name in each else "" for each in every}
    return tuple(name for name, values in seen.items() if len(values) > 1)


def last_values(metrics: Sequence[Metric]) -> dict[str, float]:
    """Each metric's last value over a whole run: in the order given, the later one stands.

    A job's earlier attempts do not count.
    """
    latest: dict[str, int] = {}
    for metric in metrics:
        latest[metric.job_id] = max(metric.attempt, latest.get(metric.job_id, 0))
    return {m.name: m.value for m in metrics if m.attempt == latest[m.job_id]}


def new_name(pipeline: str, at: datetime, taken: Collection[str] = ()) -> str:
    """A readable name of its own: `wine-quality-20261121-1a2b`."""
    stem = re.sub(r"[^\w.+-]+", "-", pipeline).strip("-.+")[:60] or "sweep"
    while True:
        name = f"{stem}-{at:%Y%m%d}-{os.urandom(2).hex()}"
        if name not in taken:
            return name


def checked_name(name: str) -> str:
    """The name, if it can be typed and read in a list. Raises InvalidRequest."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InvalidRequest(
            f"{name!r} cannot be the name of a group.",
            hint="Letters, digits, and . _ + - in between: for instance learning-rates",
        )
    return name
