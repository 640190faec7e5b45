"""The slowest page of the runs list over HTTP and TCP, with 100,000 runs in the ledger."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import httpx

from benchmarks.serving import running_server
from benchmarks.timing import say, seconds
from treadle.model.ids import new_id
from treadle.model.records import Pipeline, Run
from treadle.model.states import RunState
from treadle.storage.ledger.sqlite import SqliteLedger

RUNS, START = 100_000, datetime(2026, 1, 1, tzinfo=UTC)
PIPELINES = ("train", "report", "clean", "import")
STATES = (RunState.COMPLETED, RunState.COMPLETED, RunState.FAILED, RunState.ABORTED)


def a_run(number: int) -> Run:
    at = START + timedelta(minutes=number)
    return Run(
        id=new_id("run", now_ms=int(at.timestamp() * 1000)),
        pipeline=PIPELINES[number % 4],
        pipeline_version="1",
        state=STATES[number // 4 % 4],
        created_at=at,
        started_at=at,
        ended_at=at + timedelta(seconds=30),
        parameters={"dataset": "wine", "seed": number},
        labels={"team": f"team-{number % 7}"},
    )


def fill(data_dir: Path) -> list[str]:
    """The ids of the runs, oldest first."""
    ledger = SqliteLedger(data_dir / "ledger.db")
    runs = [a_run(number) for number in range(RUNS)]

    def add(books) -> None:
        for name in PIPELINES:
            books.add_pipeline(Pipeline(name=name, version="1", tools=(), steps=()), START)
        for run in runs:
            books.add_run(run)

    ledger.write_now(add)
    ledger.close()
    return [run.id for run in runs]


def queries(ids: list[str]) -> list[dict[str, str]]:
    pages = [{}] + [{"before": ids[len(ids) * part // 10]} for part in (1, 3, 5, 9)]
    filters = [{}, {"state": "failed"}, {"pipeline": "clean"}, {"label": "team=team-3"}]
    filters += [{"state": "running"}, {"label": "team=nobody"}, {"pipeline": "nothing"}]
    filters += [{"state": "aborted", "pipeline": "import", "label": "team=team-6"}]
    filters += [
        {"state": "failed,aborted"},
        {"user": "owner"},
        {"user": "owner", "state": "failed"},
    ]
    filters += [{"sort": "created", "pipeline": "clean", "since": "2026-02-01"}]
    by_end = [{"sort": sort} | wanted for sort in ("-ended", "ended") for wanted in filters[:5]]
    return [page | wanted for page in pages for wanted in filters] + by_end


def main() -> None:
    data_dir = Path(tempfile.mkdtemp())
    ids = fill(data_dir)
    with running_server(data_dir, "--slots", "1") as server:
        headers = {"authorization": f"Bearer {server.token}"}
        with httpx.Client(base_url=server.url, headers=headers) as client:

            def page(wanted: dict[str, str]) -> float:
                def get() -> None:
                    client.get("/api/v1/runs", params=wanted).raise_for_status()

                return median(seconds(get) for _ in range(9))

            times = {str(wanted): page(wanted) for wanted in queries(ids)}
    slowest = max(times, key=lambda wanted: times[wanted])
    say(times[slowest], sorted(times.values()), slowest=slowest)


main()
