"""Following a run: in a real Jupyter kernel, in a pipe, on a terminal."""

import asyncio
import os
import pty
import subprocess
import sys

import pytest
from jupyter_client.manager import start_new_kernel

import flows
import treadle
from treadle.client.board import Board
from treadle.client.display import MOST_ROWS, snapshot
from treadle.model.states import RunState

SECONDS = 60


class Notebook:
    """Cells that are run in a kernel, and the messages that it publishes meanwhile."""

    def __init__(self, manager, client):
        self.manager, self.client = manager, client

    def begin(self, cell):
        return self.client.execute(cell)

    def messages(self, begun):
        """Of a cell, to its end."""
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") != begun:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return
            yield message

    def run(self, cell):
        return list(self.messages(self.begin(cell)))


@pytest.fixture(scope="module")
def notebook(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TREADLE")}
    environment = kept | {
        "TREADLE_SERVER": server.url,
        "TREADLE_TOKEN": server.token,
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": os.path.dirname(flows.__file__),
    }
    manager, client = start_new_kernel(env=environment, cwd=str(folder))
    made = Notebook(manager, client)
    try:
        failed = [
            message["content"]
            for message in made.run("import flows, treadle\nc = treadle.connect()")
            if message["msg_type"] == "error"
        ]
        assert failed == []
        yield made
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy()


def html_of(messages):
    kinds = ("display_data", "update_display_data")
    return [m["content"]["data"]["text/html"] for m in messages if m["msg_type"] in kinds]


def test_a_cell_shows_a_live_table_that_ends_with_the_final_one(notebook, gate):
    # Given a cell that follows a run, in which a step waits
    begun = notebook.begin(f"run = c.submit(flows.announcing, gate={str(gate)!r})\nrun.follow()")
    messages = []
    for message in notebook.messages(begun):
        messages.append(message)
        if any("holding" in page for page in html_of([message])) and gate.exists():
            # When it may go on
            gate.write_bytes(b"go")
            gate.unlink()
    # Then one output was displayed, and kept up to date under the same id
    shown = [m for m in messages if m["msg_type"] == "display_data"]
    updates = [m for m in messages if m["msg_type"] == "update_display_data"]
    assert len(shown) == 1
    ids = {m["content"]["transient"]["display_id"] for m in shown + updates}
    assert len(ids) == 1
    pages = html_of(messages)
    assert "running" in pages[0]
    assert "completed" in pages[-1]
    assert "2 of 2 steps" in pages[-1]
    assert "hold | holding" in pages[-1]
    assert "announce | 0" in pages[-1]
    assert not [m for m in messages if m["msg_type"] == "error"]


def test_an_interrupt_ends_the_showing_and_not_the_run(notebook, remote, gate):
    begun = notebook.begin(f"run = c.submit(flows.holding, gate={str(gate)!r})\nrun.follow()")
    interrupted = False
    messages = []
    for message in notebook.messages(begun):
        messages.append(message)
        if not interrupted and any("holding" in page for page in html_of([message])):
            notebook.manager.interrupt_kernel()
            interrupted = True
    assert [m["content"]["ename"] for m in messages if m["msg_type"] == "error"] == [
        "KeyboardInterrupt"
    ]
    run = remote.get_run("latest")
    assert run.state is RunState.RUNNING
    gate.write_bytes(b"go")
    assert run.wait().state is RunState.COMPLETED


def test_a_cell_may_await_it(notebook):
    messages = notebook.run(
        "async with treadle.AsyncClient() as a:\n"
        "    run = await a.submit(flows.talking, text='<b>bold</b>')\n"
        "    await run.follow()\n"
        "    print(await run.output)\n"
    )
    pages = html_of(messages)
    assert "&lt;b&gt;bold&lt;/b&gt;" in pages[-1]
    assert "<b>bold</b>" not in pages[-1]
    printed = "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream")
    assert printed == "<b>bold</b>\n"


def test_a_run_as_the_value_of_a_cell_is_a_table(notebook):
    (result,) = [
        m for m in notebook.run("c.run(flows.failing)") if m["msg_type"] == "execute_result"
    ]
    page = result["content"]["data"]["text/html"]
    assert "raise_error" in page
    assert "ValueError: nope" in page
    notebook.run("run = c.get_run('latest')")
    completed = notebook.client.complete("run['", reply=True, timeout=SECONDS)
    assert "raise_error" in str(completed["content"]["matches"])


def test_a_pipe_gets_lines(remote, capsys):
    run = remote.submit(flows.failing)
    assert run.follow() is run
    lines = capsys.readouterr().out.splitlines()
    assert "raise_error: failed (ValueError: nope)" in lines
    assert "add: skipped" in lines
    assert lines[-1].startswith(f"failing {run.id}: failed")
    # And of a run that has ended, what there is
    talk = remote.run(flows.talking, text="\x1b[31mred\x1b[0m half\rwhole")
    talk.follow()
    lines = capsys.readouterr().out.splitlines()
    assert "announce | whole" in lines
    assert "announce | to stderr" in lines
    assert lines[-1].startswith(f"talking {talk.id}: completed, 1 of 1 steps")


def test_what_many_steps_print_is_told_once_each(remote, capsys):
    async def main():
        async with treadle.AsyncClient(remote.link.url, remote.link._token) as c:
            runs = [await c.submit(flows.talking, text=f"number {n}") for n in range(3)]
            for run in runs:
                await run.follow()

    asyncio.run(main())
    lines = capsys.readouterr().out.splitlines()
    for n in range(3):
        assert lines.count(f"announce | number {n}") == 1
    assert lines.count("announce | to stderr") == 3


def test_a_terminal_gets_lines_and_where_it_is(server, tmp_path):
    script = (
        "import flows, treadle\n"
        "with treadle.connect() as c:\n"
        "    c.submit(flows.talking, text='hello [bold]').follow()\n"
    )
    near, far = pty.openpty()
    environment = os.environ | {
        "TREADLE_SERVER": server.url,
        "TREADLE_TOKEN": server.token,
        "PYTHONPATH": os.path.dirname(flows.__file__),
        "TERM": "xterm-256color",
        "COLUMNS": "100",
    }
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=far, stdin=far, env=environment, cwd=tmp_path
    ) as process:
        os.close(far)
        told = b""
        while True:
            try:
                piece = os.read(near, 65536)
            except OSError:
                break
            told += piece
        os.close(near)
        assert process.wait(SECONDS) == 0
    text = told.decode()
    assert "hello [bold]" in text
    assert "1 of 1 steps" in text
    assert "completed" in text


def test_a_long_run_shows_what_tells_most(remote):
    run = remote.run(flows.many, count=MOST_ROWS + 10)
    detail = run._door(lambda api: api.run_detail(run.id))
    board = Board(detail.run, detail.jobs, detail.edges)
    page = snapshot(board)
    assert page.count("<tr>") == MOST_ROWS + 1
    assert "and 10 more steps" in page
