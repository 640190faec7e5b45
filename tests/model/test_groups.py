"""Runs side by side: what tells them apart, and which is best."""

from dataclasses import replace
from datetime import timedelta

import pytest

from samples import NOW, a_run
from treadle.errors import InvalidRequest
from treadle.model.groups import Goal, checked_name, compare, last_values, new_name
from treadle.model.records import Metric
from treadle.model.states import RunState


def a_trial(number, state=RunState.COMPLETED, **parameters):
    ended = NOW + timedelta(seconds=number)
    run = a_run(id=f"run_{number:018}", state=state, parameters=parameters)
    return replace(run, ended_at=None if state is RunState.RUNNING else ended)


def metric(job, name, value, attempt=1):
    return Metric(job_id=job, attempt=attempt, name=name, value=value, step=None, at=NOW)


def test_only_parameters_that_vary_are_told_and_the_oldest_run_is_first():
    found = compare([a_trial(2, lr=0.1, data="wine"), a_trial(1, lr=0.01, data="wine")], {})
    assert found.parameters == ("lr",)
    assert [trial.parameters for trial in found.trials] == [{"lr": 0.01}, {"lr": 0.1}]
    assert found.best is None


def test_the_best_run_is_first_the_lowest_where_that_is_meant():
    runs = [a_trial(1, lr=1), a_trial(2, lr=2), a_trial(3, lr=3)]
    measured = {runs[0].id: {"loss": 0.2}, runs[1].id: {"loss": 0.1}, runs[2].id: {"loss": 0.3}}
    assert compare(runs, measured, Goal.read("loss:min")).best == runs[1].id
    assert compare(runs, measured, Goal.read("loss")).best == runs[2].id
    assert [t.run.id for t in compare(runs, measured, Goal.read("loss:max")).trials] == [
        runs[2].id,
        runs[0].id,
        runs[1].id,
    ]


def test_a_run_that_did_not_complete_is_never_the_best_nor_is_nan():
    failed, diverged, good = a_trial(1, RunState.FAILED), a_trial(2), a_trial(3)
    silent = a_trial(4)
    measured = {
        failed.id: {"accuracy": 0.9},
        diverged.id: {"accuracy": float("nan")},
        good.id: {"accuracy": 0.5},
    }
    found = compare([failed, diverged, good, silent], measured, Goal.read("accuracy"))
    assert found.best == good.id
    assert [t.run.id for t in found.trials] == [good.id, failed.id, diverged.id, silent.id]
    assert compare([failed], measured, Goal.read("accuracy")).best is None


def test_a_run_that_was_retried_gives_its_place_to_the_retry():
    old = a_trial(1, RunState.FAILED)
    retry = replace(a_trial(2), retry_of=old.id)
    assert [t.run.id for t in compare([old, retry], {}).trials] == [retry.id]


def test_the_last_value_stands_and_earlier_attempts_do_not_count():
    found = last_values(
        [
            metric("job_a", "loss", 3.0),
            metric("job_a", "warmth", 1.0),
            metric("job_a", "loss", 2.0, attempt=2),
            metric("job_b", "accuracy", 0.9),
        ]
    )
    assert found == {"loss": 2.0, "accuracy": 0.9}


def test_a_metric_that_nobody_logged_is_refused_with_the_nearest():
    run = a_trial(1)
    found = compare([run], {run.id: {"accuracy": 1.0}}, Goal.read("acuracy"))
    with pytest.raises(InvalidRequest, match="Did you mean 'accuracy'"):
        found.refuse_unknown(Goal.read("acuracy"))


def test_names_of_groups_are_readable_and_new():
    name = new_name("wine quality", NOW)
    assert name.startswith("wine-quality-20260101-")
    assert new_name("wine quality", NOW, taken=[name]) != name
    assert checked_name(new_name("größe/π", NOW))
    for bad in ("", "a b", "-x", "a/b", "x" * 101):
        with pytest.raises(InvalidRequest):
            checked_name(bad)
