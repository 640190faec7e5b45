"""The live view on a real terminal."""

from terminal import terminal

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def test_a_run_is_drawn_live_and_stays_on_the_screen(treadle):
    with terminal(treadle, "run", "pipelines.py:compare") as screen:
        assert screen.end() == 0
        assert HIDE in screen.raw
        assert screen.raw.rindex(SHOW) > screen.raw.rindex(HIDE)
        assert "load | loading wine" in screen.text
        last = screen.text[screen.text.rindex("compare  completed") :]
        assert last.count("✓") == 5
        assert "accuracy=0.928" in last
        assert "treadle show run_" in last


def test_ctrl_c_shows_aborting_and_the_end(treadle):
    with terminal(treadle, "run", "pipelines.py:patient") as screen:
        screen.read_until("wait_for | waiting")
        screen.press(b"\x03")  # Ctrl-C
        screen.read_until("aborting; Ctrl-C again leaves at once")
        assert screen.end() == 130
        assert "patient aborted" in screen.text
        assert screen.raw.rindex(SHOW) > screen.raw.rindex(HIDE)
        assert "Traceback" not in screen.text
        assert "^C" not in screen.text
        assert screen.echoes()


def test_a_second_ctrl_c_leaves_the_terminal_in_order(treadle):
    with terminal(treadle, "run", "pipelines.py:stubborn") as screen:
        screen.read_until("stubborn | waiting")
        screen.press(b"\x03")
        screen.read_until("aborting; Ctrl-C again leaves at once")
        screen.press(b"\x03")
        assert screen.end() == 130
        assert screen.raw.rindex(SHOW) > screen.raw.rindex(HIDE)
        assert screen.echoes()


def test_many_steps_are_drawn_as_counts(treadle):
    with terminal(treadle, "run", "pipelines.py:wide", "-p", "steps=2000") as screen:
        assert screen.end() == 0
        assert "2000/2000" in screen.text
        assert "number-1999" not in screen.text[screen.text.rindex("wide  completed") :]


def test_a_closed_terminal_ends_the_command_and_not_the_run(treadle):
    with terminal(treadle, "run", "pipelines.py:patient") as screen:
        screen.read_until("wait_for | waiting")
        screen.hang_up()
        assert screen.process.wait(30) == 129
    assert treadle.json("show", "@last")["run"]["state"] == "running"


def test_a_dumb_terminal_gets_plain_lines(treadle):
    treadle.variables["TERM"] = "dumb"
    with terminal(treadle, "run", "pipelines.py:compare") as screen:
        assert screen.end() == 0
        assert HIDE not in screen.raw
        assert "run      completed" in screen.text


def test_binary_outputs_are_kept_off_a_terminal(treadle):
    (treadle.folder / "data.py").write_text(
        "from treadle import pipeline, tool\n"
        "@tool\n"
        "def make():\n"
        "    return {1, 2, 3}\n"
        "@pipeline\n"
        "def one():\n"
        "    return make()\n"
    )
    treadle("run", "data.py")
    with terminal(treadle, "get", "@last", "make") as screen:
        assert screen.end() == 2
        assert "Add -o FILE" in screen.text
