"""What a person sees while a run goes on, drawn from recorded events."""

import io
from types import SimpleNamespace

import pytest
from recorded import Diary, a_job, a_run, compare
from rich.console import Console

from treadle.cli import live, views
from treadle.cli.live import LiveView, cleaned
from treadle.cli.views import PlainView
from treadle.client.board import Board
from treadle.client.progress import Uploading
from treadle.model.states import JobState


@pytest.fixture(autouse=True)
def drawn_at_every_refresh(monkeypatch):
    monkeypatch.setattr(live, "REFRESH_SECONDS", 0.0)


class Screen:
    """A view and its board, fed with events."""

    def __init__(self, view, jobs, edges=()):
        self.view, self.board, self.diary = view, Board(a_run(len(jobs)), jobs, edges), Diary()
        view.start(self.board)

    def tell(self, kind, job_id=None, **data):
        event = self.diary.tell(kind, job_id, **data)
        self.view.applied(event, self.board.apply(event))
        self.view.refresh()


def terminal(height=30, width=100):
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None,
        legacy_windows=False, _environ={},
    )  # fmt: skip


def picture(screen, console):
    """The last picture as plain text."""
    flat = Console(file=io.StringIO(), width=console.width, color_system=None)
    flat.print(screen.view._picture(screen.board))
    return flat.file.getvalue()


def test_plain_lines_tell_time_step_what_happened_and_metrics(capsys):
    screen = Screen(PlainView(), *compare())
    screen.tell("job.started", "job_2", state="running", attempt=1)
    screen.tell("job.metrics", "job_2", metrics=[{"name": "accuracy", "value": 0.97}])
    screen.tell("job.completed", "job_2", state="completed", attempt=1)
    screen.view.close()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "run_01k9x3m2qa7f3k2m9d  compare  dataset=wine"
    assert lines[1].split() == ["0.1s", "train-2", "running"]
    assert lines[2].split() == ["0.3s", "train-2", "completed", "accuracy=0.97"]


def test_plain_lines_say_which_attempt_failed_and_of_what(capsys):
    screen = Screen(PlainView(), *compare())
    failure = {"type": "user", "message": "ValueError: no"}
    screen.tell("job.failed", "job_1", state="failed", attempt=2, failure=failure)
    screen.view.close()
    assert capsys.readouterr().out.splitlines()[-1].split(None, 2)[2] == (
        "failed  attempt 2  ValueError: no"
    )


@pytest.mark.parametrize("total", [500, 7_400_000, 180_000_000])
def test_an_upload_is_said_beside_what_turns_until_it_is_over(total):
    console = terminal()
    view = LiveView(console)
    view.loading("loading flow.py")
    view.uploading("loading flow.py", Uploading(done=total // 5, total=total))
    view.refresh()
    view.uploading("loading flow.py", Uploading(done=total, total=total))
    before = console.file.getvalue()
    view.refresh()
    said = {500: "100 of 500 B", 7_400_000: "1.5 of 7.4 MB", 180_000_000: "36 of 180 MB"}
    assert f"uploading {said[total]}" in before
    assert "loading flow.py" in console.file.getvalue()[len(before) :]
    view.close()


def test_a_long_upload_is_one_plain_line_and_a_short_one_none(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(views, "time", SimpleNamespace(monotonic=lambda: now[0]))
    view = PlainView()
    for second in range(5):
        now[0] = float(second)
        view.uploading("loading flow.py", Uploading(done=second * 30_000_000, total=180_000_000))
    assert capsys.readouterr().out.split() == ["0.0s", "run", "uploading", "90", "of", "180", "MB"]
    view.uploading("loading flow.py", Uploading(done=0, total=180_000_000))
    view.uploading("loading flow.py", Uploading(done=180_000_000, total=180_000_000))
    view.close()
    assert capsys.readouterr().out == ""


def test_each_line_of_output_names_its_step(capsys):
    screen = Screen(PlainView(), *compare())
    screen.view.output(screen.board.rows["job_1"], ["epoch 1", "epoch 2"])
    screen.view.close()
    assert capsys.readouterr().out.splitlines()[1:] == ["train | epoch 1", "train | epoch 2"]


def test_start_output_and_end_of_a_job_come_in_this_order(capsys):
    screen = Screen(PlainView(), *compare())
    row = screen.board.rows["job_1"]
    # Given output and metrics that are announced beside the diary
    screen.view.output(row, ["epoch 1"])
    screen.tell("job.started", "job_1", state="running", attempt=0)
    screen.tell("job.completed", "job_1", state="completed", attempt=0)
    screen.view.output(row, ["epoch 2"])
    screen.tell("job.metrics", "job_1", metrics=[{"name": "loss", "value": 0.5}])
    # When they are printed
    screen.view.close()
    # Then they are where one looks for them
    told = [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert told == ["running", "1", "2", "loss=0.5"]


def test_the_live_view_shows_a_row_for_each_step():
    console = terminal()
    screen = Screen(LiveView(console), *compare())
    screen.tell("job.started", "job_1", state="running", attempt=2)
    screen.tell("job.progress", "job_1", done=3, total=10)
    screen.tell("job.metrics", "job_1", metrics=[{"name": "loss", "value": 0.25}])
    shown = picture(screen, console)
    assert "run_01k9x3m2qa7f3k2m9d  compare  running" in shown
    assert "dataset=wine" in shown
    (row,) = [line for line in shown.splitlines() if " train " in line and "3/10" in line]
    assert "attempt 2" in row
    assert "loss=0.25" in row
    assert "waits for train, train-2, train-3" in shown


def test_a_step_that_will_be_tried_again_says_so_and_its_clock_stands_still():
    console = terminal()
    screen = Screen(LiveView(console), *compare())
    failure = {"type": "user", "message": "ValueError: no"}
    screen.tell("job.started", "job_1", state="running", attempt=1)
    screen.tell("job.retried", "job_1", state="waiting", attempt=1, failure=failure)
    (row,) = [line for line in picture(screen, console).splitlines() if "ValueError" in line]
    assert row.split()[1:] == "train will be tried again after ValueError: no".split()


def test_many_steps_are_counted_by_tool():
    console = terminal()
    jobs = [a_job(f"train-{i}", "train", i, JobState.QUEUED) for i in range(1, 10_001)]
    screen = Screen(LiveView(console), [a_job("load", "load", 0), *jobs])
    for job in jobs[:12]:
        screen.board.apply(screen.diary.tell("job.started", job.id, state="running", attempt=1))
    screen.tell("job.completed", "job_1", state="completed", attempt=1)
    shown = picture(screen, console).splitlines()
    assert len(shown) <= 10
    (row,) = [line for line in shown if " train " in line]
    assert "1/10000" in row
    assert "11 running" in row


def lines_before(text):
    """What stands before the names of the rows."""
    return [line[:7].rstrip() for line in text.splitlines()[1:]]


def test_rows_stand_behind_lines_that_tell_who_waits_for_whom():
    console = terminal()
    screen = Screen(LiveView(console), *compare())
    screen.tell("job.started", "job_0", state="running", attempt=1)
    screen.tell("job.completed", "job_0", state="completed", attempt=1)
    screen.tell("job.started", "job_2", state="running", attempt=1)
    drawn = [" ✓", " ├─○─╮", " ├─●─┤", " ╰─○─┤", " ○───╯"]
    assert lines_before(picture(screen, console)) == drawn


def test_a_narrow_terminal_has_no_lines_and_a_resized_one_has_them_again():
    console = terminal(width=18)
    screen = Screen(LiveView(console), *compare())
    assert lines_before(picture(screen, console))[1] == " ○ trai"
    console.width = 60
    assert lines_before(picture(screen, console))[1] == " ├─○─╮"


def test_a_terminal_without_unicode_has_lines_in_ascii():
    screen = Screen(LiveView(terminal()), *compare())
    screen.view._ascii = True
    drawn = picture(screen, terminal())
    assert lines_before(drawn)[1:] == [" +-.-+", " +-.-+", " +-.-+", " .---+"]


def test_parents_stand_above_their_children_whatever_the_order_of_the_steps():
    jobs = [a_job("best", "best", 0), a_job("load", "load", 1, JobState.QUEUED)]
    screen = Screen(LiveView(terminal()), jobs, [("job_1", "job_0")])
    assert [row.step for row in screen.board.rows.values()] == ["load", "best"]


def fan(steps):
    """load -> many trainings -> best."""
    jobs = [a_job("load", "load", 0, JobState.QUEUED)]
    jobs += [a_job(f"train-{i}", "train", i) for i in range(1, steps + 1)]
    jobs += [a_job("best", "best", steps + 1)]
    edges = [("job_0", f"job_{i}") for i in range(1, steps + 1)]
    return jobs, edges + [(f"job_{i}", f"job_{steps + 1}") for i in range(1, steps + 1)]


def test_many_steps_keep_the_shape_of_what_they_are_part_of():
    console = terminal()
    screen = Screen(LiveView(console), *fan(1_000))
    screen.tell("job.started", "job_0", state="running", attempt=1)
    screen.tell("job.completed", "job_0", state="completed", attempt=1)
    for i in range(1, 4):
        screen.tell("job.started", f"job_{i}", state="running", attempt=1)
    screen.tell("job.completed", "job_1", state="completed", attempt=1)
    _, load, train, best, *active = picture(screen, console).splitlines()
    assert [line.split()[:2] for line in (load, train, best)] == [
        ["✓", "load"], ["●", "train"], ["○", "best"],
    ]  # fmt: skip
    assert "1/1000" in train and "2 running" in train
    assert [line.split()[1] for line in active] == ["train-2", "train-3"]


def test_steps_that_are_all_different_are_counted_by_tool():
    names = [f"step-{i}" for i in range(1_000)]
    jobs = [a_job(name, "step", i) for i, name in enumerate(names)]
    chain = [(f"job_{i}", f"job_{i + 1}") for i in range(999)]
    console = terminal()
    screen = Screen(LiveView(console), jobs, chain)
    assert [line.split()[:3] for line in picture(screen, console).splitlines()[1:]] == [
        ["○", "step", "0/1000"]
    ]


def test_a_low_terminal_counts_too():
    console = terminal(height=7)
    screen = Screen(LiveView(console), *compare())
    assert len(picture(screen, console).splitlines()) <= 7
    assert "0/3" in picture(screen, console)


def test_a_flood_of_output_is_cut_and_says_so():
    console = terminal()
    screen = Screen(LiveView(console), *compare())
    row = screen.board.rows["job_1"]
    screen.view.output(row, [f"line {i}" for i in range(5_000)])
    screen.view.refresh()
    said = console.file.getvalue()
    assert "4000 lines are left out here" in said
    assert "line 4999" in said
    assert "line 3999\n" not in said


@pytest.mark.parametrize(
    ("printed", "seen"),
    [
        ("plain", "plain"),
        ("10%\r20%\r100%\r", "100%"),
        ("\x1b[2K\x1b[1Ahello\x07", "hello"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    ],
)
def test_output_keeps_its_colours_and_loses_what_moves_the_cursor(printed, seen):
    assert cleaned(printed) == seen
