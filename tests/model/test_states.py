"""What may happen to a job or a run is exactly what the tables say."""

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import UnlawfulMove
from treadle.model import states
from treadle.model.states import (
    JOB_ENDS,
    JOB_GOOD_ENDS,
    JOB_LEASED,
    JOB_MOVES,
    RUN_ENDS,
    RUN_MOVES,
    JobEvent,
    JobState,
    RunEvent,
    RunState,
    advance_job,
    advance_run,
)

MACHINES = [
    pytest.param(advance_job, JOB_MOVES, JobState, JobEvent, JOB_ENDS, "waiting", id="job"),
    pytest.param(advance_run, RUN_MOVES, RunState, RunEvent, RUN_ENDS, "queued", id="run"),
]


@pytest.mark.parametrize(("advance", "moves", "state", "event", "ends", "start"), MACHINES)
def test_every_pair_of_state_and_event_behaves_as_its_table_says(
    advance: Any, moves: Any, state: Any, event: Any, ends: Any, start: str
) -> None:
    for before in state:
        for happened in event:
            if (before, happened) in moves:
                assert advance(before, happened) is moves[before, happened]
            else:
                with pytest.raises(UnlawfulMove, match=f"{before} cannot take {happened}"):
                    advance(before, happened)


@pytest.mark.parametrize(("advance", "moves", "state", "event", "ends", "start"), MACHINES)
def test_every_state_can_be_reached_from_the_start_and_every_state_leads_to_an_end(
    advance: Any, moves: Any, state: Any, event: Any, ends: Any, start: str
) -> None:
    assert reached(moves, {state(start)}) == set(state)
    for before in state:
        assert reached(moves, {before}) & ends


@pytest.mark.parametrize(("advance", "moves", "state", "event", "ends", "start"), MACHINES)
def test_ends_never_move_and_all_else_does(
    advance: Any, moves: Any, state: Any, event: Any, ends: Any, start: str
) -> None:
    assert {before for before, _ in moves} == set(state) - ends


@pytest.mark.parametrize(("advance", "moves", "state", "event", "ends", "start"), MACHINES)
def test_every_event_is_used(
    advance: Any, moves: Any, state: Any, event: Any, ends: Any, start: str
) -> None:
    assert {happened for _, happened in moves} == set(event)


@given(st.lists(st.sampled_from(JobEvent)))
def test_a_job_ends_once_whatever_is_tried(events: list[JobEvent]) -> None:
    state, ended = JobState.WAITING, 0
    for event in events:
        try:
            state = advance_job(state, event)
        except UnlawfulMove:
            continue
        ended += state in JOB_ENDS

    assert ended <= 1


@given(st.lists(st.sampled_from(JobEvent)))
def test_an_acknowledged_abort_beats_a_later_completion(events: list[JobEvent]) -> None:
    state = JobState.ABORTING
    for event in events:
        try:
            state = advance_job(state, event)
        except UnlawfulMove:
            continue

    assert state in {JobState.ABORTING, JobState.ABORTED}


def test_a_job_that_an_owner_holds_can_always_be_aborted_but_is_not_yet_gone() -> None:
    for state in JOB_LEASED - {JobState.ABORTING}:
        assert advance_job(state, JobEvent.ABORT_REQUESTED) is JobState.ABORTING


def test_good_ends_are_ends() -> None:
    assert JOB_GOOD_ENDS < JOB_ENDS


def test_the_diagram_has_one_line_for_each_move_and_each_end() -> None:
    text = states.diagram(JOB_MOVES, JobState.WAITING)

    assert text.startswith("stateDiagram-v2\n    [*] --> waiting\n")
    assert text.count("-->") == 1 + len(JOB_MOVES) + len(JOB_ENDS)
    assert "    aborting --> aborted: gone\n" in text


def reached(moves: Any, start: set[StrEnum]) -> set[StrEnum]:
    found, before = set(start), None
    while found != before:
        before = set(found)
        found |= {after for (state, _), after in moves.items() if state in found}
    return found
