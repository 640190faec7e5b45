"""What a user does with a run."""

import signal
import threading

import numpy as np
import pytest

import flows
from treadle import pipeline, tool
from treadle.errors import (
    Aborted,
    Conflict,
    InvalidDefinition,
    InvalidParameters,
    InvalidRequest,
    JobError,
    NotFound,
    WorkerDied,
)
from treadle.model.states import JobState, RunState


def test_a_run_gives_back_what_the_pipeline_returned(client):
    run = client.run(flows.sums, start=1)
    assert run.state is RunState.COMPLETED
    assert run.output == {"first": 2, "both": [12, "constant"]}
    assert run["add"].result() == 2
    assert [job.step for job in run.jobs] == ["add", "add-2"]
    assert run.parameters == {"start": 1}


def test_submit_returns_at_once_and_wait_waits(client, gate):
    # Given a step that waits for us
    run = client.submit(flows.holding, gate=str(gate), value=3)
    assert run.record.state is RunState.RUNNING
    with pytest.raises(Conflict, match="has not ended"):
        run["hold"].result()
    with pytest.raises(TimeoutError):
        run.wait(timeout=0.01)
    # When it may go on
    gate.write_bytes(b"go")
    # Then the run ends
    assert run.wait().output == 3
    assert repr(run) == f"<run {run.id} of 'holding': completed>"


def test_a_failed_step_raises_with_its_own_traceback(client):
    run = client.run(flows.failing)
    assert run.state is RunState.FAILED
    with pytest.raises(JobError) as error:
        run["raise_error"].result()
    assert "raise ValueError(text)" in str(error.value)
    assert error.value.failure.exception.endswith("ValueError")
    assert run["raise_error"].failure.message.endswith("nope")
    with pytest.raises(JobError, match="was skipped: raise_error failed"):
        run["add"].result()
    with pytest.raises(JobError, match="nope"):
        run.raise_for_failure()


def test_a_step_whose_process_died_shows_its_last_words(client):
    run = client.run(flows.dying)
    with pytest.raises(WorkerDied, match="last words") as error:
        run["die"].result()
    assert error.value.failure.certificate.exit_code == 7


def test_an_abort_ends_what_runs(client, gate):
    run = client.submit(flows.holding, gate=str(gate))
    events = run.events()
    next(event for event in events if event.kind == "job.started")
    run.abort(grace_seconds=1)
    assert run.wait().state is RunState.ABORTED
    with pytest.raises(Aborted):
        run["hold"].result()
    with pytest.raises(Conflict, match="already ended"):
        client.abort(run.id)


def test_an_interrupt_of_a_blocking_run_aborts_it(client, gate):
    def interrupt():
        next(event for event in news if event.kind == "run.created")
        next(event for event in news if event.kind == "job.started")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = client.run(flows.sums).id
    news = client.events(since=max(event.cursor for event in client.events(0, follow=False)))
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        client.run(flows.holding, gate=str(gate))
    run = client.get_run("latest")
    assert run.id != before
    assert run.wait().state is RunState.ABORTED


def test_a_retry_reuses_what_completed(client):
    run = client.run(flows.failing)
    again = run.retry().wait()
    assert again.id != run.id
    assert again.record.retry_of == run.id


def test_unknown_steps_outputs_and_runs_are_named(client):
    run = client.run(flows.sums)
    with pytest.raises(NotFound, match=r"no step 'ad'. Did you mean 'add'"):
        run["ad"].result()
    with pytest.raises(NotFound, match="no output 'resultt'"):
        run["add"].result("resultt")
    with pytest.raises(NotFound):
        client.get_run("run_00000000000000000a")
    with pytest.raises(NotFound):
        client.get_run("zzz")
    with pytest.raises(InvalidRequest, match="stands for several"):
        client.get_run("run_0")


def test_a_run_is_found_by_the_start_of_its_id_and_as_the_latest(client):
    run = client.run(flows.sums)
    assert client.get_run("latest").id == run.id
    assert client.get_run(run.id).id == run.id
    assert client.get_run(run.id.removeprefix("run_")).id == run.id


def test_events_tell_the_whole_story_and_then_end(client):
    run = client.submit(flows.measuring)
    told = list(run.events())
    kinds = [event.kind for event in told if event.number]
    assert kinds[0] == "run.created"
    assert kinds[-1] == "run.completed"
    assert [event.number for event in told if event.number] == list(range(1, len(kinds) + 1))
    # Later, the same; and from any place
    assert [e.kind for e in run.events()] == kinds
    assert [e.kind for e in run.events(after=len(kinds) - 1)] == ["run.completed"]


def test_a_long_diary_is_told_whole_while_it_is_written_and_after(client):
    run = client.submit(flows.many, count=200)
    for _ in ("while", "after"):
        numbers = [event.number for event in run.events() if event.number]
        assert len(numbers) > 500
        assert numbers == list(range(1, len(numbers) + 1))


def test_what_a_job_printed_is_announced_before_its_end(client, gate):
    run = client.submit(flows.announcing, gate=str(gate))
    events = run.events()
    first = next(event for event in events if event.kind == "job.output")
    gate.write_bytes(b"go")
    kinds = [event.kind for event in events if event.job_id not in (None, first.job_id)]
    assert kinds.index("job.output") < kinds.index("job.completed") == len(kinds) - 1


def test_events_without_following_stop_at_the_present(client, gate):
    run = client.submit(flows.holding, gate=str(gate))
    assert "run.completed" not in [event.kind for event in run.events(follow=False)]
    gate.write_bytes(b"go")
    run.wait()


def test_a_reader_of_events_may_leave_early(client, gate):
    run = client.submit(flows.holding, gate=str(gate))
    events = run.events()
    assert next(events).kind == "run.created"
    events.close() if hasattr(events, "close") else None
    del events
    gate.write_bytes(b"go")
    assert run.wait().state is RunState.COMPLETED


def test_metrics_come_back_as_they_were_logged(client):
    run = client.run(flows.measuring, value=0.25)
    assert [(m.name, m.value, m.step) for m in run.metrics()] == [
        ("loss", 0.25, 1),
        ("loss", float("inf"), 2),
    ]
    assert run["measure"].metrics() == run.metrics()


def test_logs_hold_both_streams(client):
    run = client.run(flows.talking, text="well")
    assert b"".join(run.logs("announce")) == b"well\nto stderr\n"
    assert b"".join(run.logs()) == b"well\nto stderr\n"
    assert b"".join(run["announce"].logs(offset=5)) == b"to stderr\n"


def test_a_followed_log_arrives_while_the_step_runs(client, gate):
    run = client.submit(flows.holding, gate=str(gate))
    pieces = run["hold"].logs(follow=True)
    assert next(pieces) == b"holding\n"
    gate.write_bytes(b"go")
    assert b"".join(pieces) == b""
    assert run.wait().state is RunState.COMPLETED


def test_large_results_and_files_come_back(client, tmp_path):
    assert client.run(flows.large, size=3_000_000).output == b"x" * 3_000_000
    made = client.run(flows.filing)["write_file"].result(directory=tmp_path)
    assert made.read_text() == "inside"


def test_constants_that_are_no_json_travel_too(client):
    @tool
    def total(values: np.ndarray) -> float:
        return float(values.sum())

    @pipeline
    def totals():
        return total(np.ones(100_000))

    assert client.run(totals).output == 100_000.0


def test_wrong_parameters_are_refused_before_anything_runs(client):
    with pytest.raises(InvalidParameters):
        client.run(flows.sums, start="many")


def test_runs_are_listed_newest_first_and_filtered(client):
    first, second = client.run(flows.sums), client.run(flows.failing)
    assert [run.id for run in client.runs(limit=2)] == [second.id, first.id]
    assert next(client.runs(state="failed")).id == second.id
    assert next(client.runs(pipeline="sums")).id == first.id
    with pytest.raises(InvalidRequest, match=r"no state 'fail'. Did you mean 'failed'"):
        next(client.runs(state="fail"))


def test_a_deleted_run_is_gone_with_its_logs(client):
    run = client.run(flows.talking)
    run.delete()
    with pytest.raises(NotFound):
        client.get_run(run.id)


def test_several_threads_may_share_a_client(client):
    outputs = []

    def work(start):
        outputs.append(client.run(flows.sums, start=start).output["first"])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outputs) == [1, 2, 3, 4]


def test_a_run_shows_itself_in_a_notebook(client):
    html = client.run(flows.failing)._repr_html_()
    assert "raise_error" in html
    assert "ValueError" in html


def test_a_file_is_loaded_in_a_slot_and_run(client, tmp_path):
    file = tmp_path / "steps.py"
    file.write_text(
        "from treadle import pipeline, tool\n"
        "@tool\ndef double(n: int) -> int:\n    return 2 * n\n"
        "@pipeline\ndef doubled(n: int = 1):\n    return double(n)\n"
    )
    assert client.run(file).output == 2
    assert client.run(file, n=4).output == 8
    assert client.options(text_parameters={"n": "5"}).run(file).output == 10
    run = client.options(labels={"who": "analyst"}, priority=3).submit(f"{file}:doubled")
    assert (run.record.labels, run.record.priority) == ({"who": "analyst"}, 3)
    assert next(client.runs(label="who=analyst")).id == run.wait().id


@pytest.mark.parametrize(
    "text, says",
    [
        ("import nothing_such", "nothing_such"),
        ("def broken(:", "SyntaxError"),
        ("x = 1", "no pipeline"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(client, tmp_path, text, says):
    (tmp_path / "odd.py").write_text(text)
    with pytest.raises(InvalidDefinition, match=says) as error:
        client.run(tmp_path / "odd.py")
    assert "treadle.errors" not in str(error.value)


def test_gc_frees_what_a_deleted_run_left(client):
    run = client.run(flows.large)
    client.delete(run.id)
    told = client.gc(dry_run=True)
    assert told["dry_run"] is True
    assert client.gc(retention_days=0)["runs"] >= 1
    assert list(client.runs()) == []


def test_a_blob_that_was_freed_meanwhile_is_put_again(client):
    @tool
    def one() -> int:
        return 1

    @pipeline
    def ones():
        return one()

    traced = ones.trace()
    client.submit(traced).wait()
    for path in (client.link.settings.data_dir / "blobs").rglob("*"):
        if path.name in traced.blobs:
            path.unlink()
    assert client.submit(traced).wait().output == 1


def test_health_names_the_owner(client):
    health = client.health()
    assert health["status"] == "ok"
    assert health["slots"]["total"] == 2


def test_a_step_knows_its_state(client):
    run = client.run(flows.sums)
    assert run["add"].state is JobState.COMPLETED
    assert repr(run["add"]) == "<step 'add': completed>"
    assert [step.name for step in run.steps] == ["add", "add-2"]
