"""The asynchronous client: the same verbs, awaited; and what a type checker makes of them."""

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import flows
import treadle
from treadle.client.asynchronous import AsyncClient
from treadle.errors import JobError, NotFound, Unavailable
from treadle.model.states import JobState, RunState

ROOT = Path(__file__).parents[2]


def test_what_returns_is_awaited_and_what_iterates_is_async(server):
    async def main():
        async with treadle.AsyncClient(server.url, server.token) as c:
            run = await c.run(flows.sums, start=1)
            assert await run.state is RunState.COMPLETED
            assert await run.output == {"first": 2, "both": [12, "constant"]}
            assert await run["add"].result() == 2
            assert await run["add"].state is JobState.COMPLETED
            assert [step.name for step in await run.steps] == ["add", "add-2"]
            assert [job.step for job in await run.jobs] == ["add", "add-2"]
            assert (await c.get_run(run.id)).id == run.id
            assert [found.id async for found in c.runs(limit=1)] == [run.id]
            assert [event.kind async for event in run.events()][-1] == "run.completed"
            talk = await c.options(priority=3).submit(flows.talking)
            assert talk.record.priority == 3
            assert await (await talk.wait()).state is RunState.COMPLETED
            assert b"".join([piece async for piece in talk.logs()]) == b"hello\nto stderr\n"
            assert (await c.job(await talk["announce"].job_id)).name == "announce"
            assert (await c.health())["status"] == "ok"

    asyncio.run(main())


def test_errors_come_when_they_are_awaited(server):
    async def main():
        async with treadle.AsyncClient(server.url, server.token) as c:
            run = await c.run(flows.failing)
            with pytest.raises(JobError, match="nope"):
                await run["raise_error"].result()
            with pytest.raises(JobError, match="nope"):
                await run.raise_for_failure()
            with pytest.raises(NotFound, match="no step 'ad'"):
                await run["ad"].result()
            with pytest.raises(NotFound):
                await c.get_run("run_00000000000000000a")

    asyncio.run(main())


def test_many_runs_are_awaited_together(server):
    async def main():
        async with treadle.AsyncClient(server.url, server.token) as c:
            runs = await asyncio.gather(*(c.run(flows.sums, start=n) for n in range(10)))
            return [(await run.output)["first"] for run in runs]

    assert asyncio.run(main()) == list(range(1, 11))


def test_cancelling_a_run_aborts_it(server, gate):
    async def main():
        async with treadle.AsyncClient(server.url, server.token) as c:
            begun = asyncio.Event()

            async def watch():
                async for event in c.events(since=last):
                    if event.kind == "job.started":
                        begun.set()
                        return event.stream

            last = max([event.cursor async for event in c.events(0, follow=False)], default=0)
            watching = asyncio.create_task(watch())
            running = asyncio.create_task(c.run(flows.holding, gate=str(gate)))
            await begun.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            run = await c.get_run(await watching)
            return await (await run.wait()).state

    assert asyncio.run(main()) is RunState.ABORTED


def test_the_callers_loop_goes_on_meanwhile(server, gate):
    async def main():
        async with treadle.AsyncClient(server.url, server.token) as c:
            run = await c.submit(flows.holding, gate=str(gate), value=4)
            waiting = asyncio.create_task(run.wait())
            pieces = run["hold"].logs(follow=True)
            assert await anext(pieces) == b"holding\n"
            assert not waiting.done()
            await asyncio.to_thread(gate.write_bytes, b"go")
            assert [piece async for piece in pieces] == []
            await waiting
            return await run.output

    assert asyncio.run(main()) == 4


def test_what_is_shown_needs_no_question(server):
    async def main():
        async with treadle.AsyncClient(server.url, server.token) as c:
            run = await c.run(flows.sums)
            assert run._ipython_key_completions_() == []
            assert repr(run["add"]) == "<step 'add': not asked yet>"
            await run.jobs
            assert run._ipython_key_completions_() == ["add", "add-2"]
            assert "add-2" in run._repr_html_()
            assert repr(run) == f"<run {run.id} of 'sums': completed>"

    asyncio.run(main())


def test_it_is_closed_once_and_not_used_as_a_blocking_one(server):
    async def main():
        c = treadle.AsyncClient(server.url, server.token)
        with pytest.raises(TypeError, match="async with"), c:
            pass
        await c.close()
        await c.close()
        with pytest.raises(Unavailable, match="closed"):
            await c.health()

    asyncio.run(main())


def test_it_finds_the_server_of_the_data_directory(server, monkeypatch):
    monkeypatch.setenv("TREADLE_DATA_DIR", str(server.data_dir))

    async def main():
        async with treadle.AsyncClient() as c:
            return await (await c.run(flows.sums)).output

    assert asyncio.run(main())["first"] == 2


def test_the_house_of_ones_own_process_may_be_awaited_too(client):
    async def main():
        c = AsyncClient(client.link)
        return await (await c.run(flows.sums)).output

    assert asyncio.run(main())["first"] == 2


def stub_writer():
    spec = importlib.util.spec_from_file_location("stub", ROOT / "scripts/stub.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stub_is_what_the_source_says():
    writer = stub_writer()
    assert writer.FILE.read_text() == writer.stub(), "stale: run `python scripts/stub.py`"


SAMPLE = """
import treadle
from treadle.model.states import RunState

async def main() -> None:
    async with treadle.AsyncClient("https://box:8470") as c:
        run = await c.run("pipeline.py", dataset="digits")
        state: RunState = await run.state
        name: str = run["best"].name
        await run["best"].result()
        async for found in c.runs(state="failed"):
            await found.retry()
        async for event in c.events():
            kind: str = event.kind
        WRONG

def blocking() -> None:
    with treadle.connect() as c:
        run = c.run("pipeline.py", dataset="digits")
        state: RunState = run.state
        ids: list[str] = [each.id for each in c.runs()]
"""


def test_a_type_checker_knows_what_is_awaited(tmp_path):
    def checked(line):
        file = tmp_path / "sample.py"
        file.write_text(SAMPLE.replace("WRONG", line))
        return subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", file],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    good, bad = checked("pass"), checked("size: int = len(run.state)")
    assert good.returncode == 0, good.stdout
    assert "Coroutine" in bad.stdout
