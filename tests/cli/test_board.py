from recorded import Diary, a_job, a_run, compare

from treadle.client.board import Board
from treadle.model.states import JobState, RunState


def test_a_row_follows_the_events_of_its_job():
    # Given a board of a run that has just begun
    jobs, edges = compare()
    board, diary = Board(a_run(5), jobs, edges), Diary()
    # When the first job is leased, runs, reports and completes
    board.apply(diary.tell("job.leased", "job_0", state="preparing", attempt=1))
    started = diary.tell("job.started", "job_0", state="running", attempt=1)
    board.apply(started)
    board.apply(diary.tell("job.progress", "job_0", done=3, total=10))
    board.apply(diary.tell("job.metrics", "job_0", metrics=[{"name": "rows", "value": 178.0}]))
    row = board.rows["job_0"]
    # Then the row says so at each point
    assert (row.state, row.done, row.total, row.metrics) == (JobState.RUNNING, 3, 10, {"rows": 178})
    assert list(board.active) == ["job_0"]
    ended = diary.tell("job.completed", "job_0", state="completed", attempt=1)
    board.apply(ended)
    assert row.seconds(ended.at) == (ended.at - started.at).total_seconds()
    assert not board.active
    assert board.counts()[JobState.COMPLETED] == 1


def test_a_new_attempt_starts_its_clock_and_progress_again():
    board, diary = Board(a_run(1), [a_job("train", "train", 0, JobState.RUNNING)], []), Diary()
    board.apply(diary.tell("job.progress", "job_0", done=3, total=10))
    failure = {"type": "user", "message": "ValueError: no"}
    board.apply(diary.tell("job.retried", "job_0", state="waiting", attempt=1, failure=failure))
    board.apply(diary.tell("job.leased", "job_0", state="preparing", attempt=2))
    row = board.rows["job_0"]
    assert (row.attempt, row.done, row.started_at) == (2, None, None)
    assert row.message == "ValueError: no"


def test_events_without_a_state_move_as_the_table_says():
    board, diary = Board(a_run(1), [a_job("train", "train", 0, JobState.QUEUED)], []), Diary()
    board.apply(diary.tell("job.leased", "job_0"))
    board.apply(diary.tell("run.abort_requested"))
    assert board.rows["job_0"].state is JobState.PREPARING
    assert board.run.state is RunState.ABORTING


def test_events_of_a_later_release_change_nothing():
    board, diary = Board(a_run(1), [a_job("train", "train", 0, JobState.QUEUED)], []), Diary()
    board.apply(diary.tell("job.hibernated", "job_0"))
    board.apply(diary.tell("run.blessed"))
    board.apply(diary.tell("job.started", "job_unknown", state="running"))
    assert board.rows["job_0"].state is JobState.QUEUED


def test_a_waiting_row_names_what_it_waits_for():
    jobs, edges = compare()
    board = Board(a_run(5), jobs, edges)
    assert board.waits_for(board.rows["job_4"]) == "waits for train, train-2, train-3"
    assert board.waits_for(board.rows["job_4"], most=1) == "waits for train and 2 more"


def test_counts_by_tool_add_up_to_all_jobs_at_every_moment():
    jobs = [a_job(f"train-{i}", "train", i, JobState.QUEUED) for i in range(1, 1001)]
    board, diary = Board(a_run(1001), [a_job("load", "load", 0), *jobs], []), Diary()
    for job in jobs[::2]:
        board.apply(diary.tell("job.leased", job.id))
        board.apply(diary.tell("job.started", job.id))
        assert board.counts().total() == 1001
    assert board.tools["tool_train"] == {
        JobState.QUEUED: 500,
        JobState.PREPARING: 0,
        JobState.RUNNING: 500,
    }
