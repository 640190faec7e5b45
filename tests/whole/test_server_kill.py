"""A server is killed at work and started again: its clients go on where they were."""

import json
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import pytest

from samples import a_tool
from serving import running_server, start_server, stop_server
from treadle.interfaces import RunFilter
from treadle.model.bindings import Output, Value
from treadle.model.records import Code, Pipeline, Step, Submission
from treadle.model.states import JOB_ENDS, RUN_ENDS
from treadle.model.wire import to_wire
from treadle.storage.ledger.sqlite import SqliteLedger

RUNS, CLIENTS, FOLLOWED = 200, 8, 20
KILLS_AFTER = (60, 130)  #: so many runs were acknowledged
LONGEST_SECONDS = 150

# Functions of the standard library: each execution leaves a folder of its own.
TRACE = a_tool("trace", code=Code(kind="snapshot", digest="", entry="tempfile:mkdtemp"))
WORK = a_tool("work", code=Code(kind="snapshot", digest="", entry="subprocess:run"))


def body_of(number, effects):
    """A run that leaves a trace, one within the first, and meanwhile works for a while."""
    step = f"run-{number}-"
    steps = (
        Step(
            name="outer",
            tool_id=TRACE.id,
            arguments={"prefix": Value(step), "dir": Value(str(effects))},
        ),
        Step(name="work", tool_id=WORK.id, arguments={"args": Value(["sleep", "0.02"])}),
        Step(
            name="inner",
            tool_id=TRACE.id,
            arguments={"prefix": Value("inner-"), "dir": Output("outer")},
        ),
    )
    pipeline = Pipeline(name="traces", version="1", tools=(TRACE, WORK), steps=steps)
    labels = {"number": str(number)}
    return json.dumps(to_wire(Submission(pipeline=pipeline, labels=labels))).encode()


class Team:
    """Clients of a server that may be away for a while; they ask again until it answers."""

    def __init__(self, server, effects):
        self.http = httpx.Client(
            base_url=f"{server.url}/api/v1",
            headers=server.headers,
            timeout=30,
            limits=httpx.Limits(max_connections=None),
        )
        self.effects = effects
        self.made: dict[int, str] = {}
        self.acknowledged = threading.Condition()
        self.give_up = time.monotonic() + LONGEST_SECONDS

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()

    def again(self, ask):
        """What ask answers, once there is somebody to ask."""
        while True:
            try:
                return ask()
            except httpx.TransportError:
                assert time.monotonic() < self.give_up, "the server stays away"
                time.sleep(0.02)

    def post(self, number):
        """Submit, with a key, until it is acknowledged; the run's id."""
        headers = {"Idempotency-Key": f"run {number}"}
        body = body_of(number, self.effects)

        def ask():
            return self.http.post("/runs", content=body, headers=headers)

        answer = self.again(ask)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def submit(self, number):
        run_id = self.post(number)
        with self.acknowledged:
            self.made[number] = run_id
            self.acknowledged.notify_all()
        return run_id

    def wait_for(self, enough):
        """Until so many runs are acknowledged."""
        with self.acknowledged:
            assert self.acknowledged.wait_for(lambda: len(self.made) >= enough, LONGEST_SECONDS)

    def follow(self, path, is_over):
        """The events of a stream, across losses of the connection, until is_over(event)."""
        events, last = [], ""
        while True:
            try:
                for event in self._stream(path, last):
                    last = event["id"]
                    if "data" not in event:  # only a place to go on from
                        continue
                    events.append(event)
                    if is_over(json.loads(event["data"])):
                        return events
            except httpx.TransportError:
                time.sleep(0.02)
            assert time.monotonic() < self.give_up, "the stream does not end"

    def _stream(self, path, last):
        headers = {"Last-Event-ID": last} if last else {}
        asked = {} if last else {"after": 0}
        with self.http.stream("GET", path, headers=headers, params=asked) as answer:
            assert answer.status_code == 200
            event = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                    continue
                if "id" in event:  # news without an id is not of the diary
                    yield event
                event = {}

    def follow_run(self, number):
        def is_over(data):
            return data["job_id"] is None and data["data"].get("state") in RUN_ENDS

        with self.acknowledged:
            assert self.acknowledged.wait_for(lambda: number in self.made, LONGEST_SECONDS)
        return self.follow(f"/runs/{self.made[number]}/events", is_over)

    def follow_all(self):
        ended = set()

        def is_over(data):
            if data["kind"] == "run.completed":
                ended.add(data["stream"])
            return len(ended) == RUNS

        return self.follow("/events", is_over)


@pytest.mark.timeout(LONGEST_SECONDS + 60)
def test_clients_of_a_server_that_is_killed_go_on_where_they_were(tmp_path):
    data_dir, effects = tmp_path / "state", tmp_path / "effects"
    effects.mkdir()
    # Given a server, clients that submit detached runs with keys, and others that follow
    server = start_server(data_dir, "--slots", "2")
    port = server.url.rpartition(":")[2]
    chosen = random.sample(range(RUNS), FOLLOWED)
    pool = ThreadPoolExecutor(CLIENTS + FOLLOWED + 1)
    try:
        with Team(server, effects) as team, pool:
            everything = pool.submit(team.follow_all)
            followed = {number: pool.submit(team.follow_run, number) for number in chosen}
            submitted = [pool.submit(team.submit, number) for number in range(RUNS)]
            # When the server is killed, twice, while runs are begun and under way
            for enough in KILLS_AFTER:
                team.wait_for(enough)
                server.process.send_signal(signal.SIGKILL)
                assert server.ended() == -signal.SIGKILL
                server.process.stdout.close()
                server = start_server(data_dir, "--slots", "2", "--port", port)
            ids = [each.result(LONGEST_SECONDS) for each in submitted]
            told = everything.result(LONGEST_SECONDS)
            told_of = {number: each.result(LONGEST_SECONDS) for number, each in followed.items()}
            # Then who asks once more gets what there is
            assert [team.post(number) for number in range(RUNS)] == ids
    finally:
        stop_server(server)
    assert len(set(ids)) == RUNS
    with closing(SqliteLedger(data_dir / "ledger.db", read_only=True)) as ledger:
        # and all runs have ended, nothing was settled twice
        runs = ledger.read(lambda b: b.runs(RunFilter(limit=RUNS + 100)))
        assert {run.id for run in runs} == set(ids)
        for run in runs:
            check_run(ledger, run, effects)
        # and no follower missed an event, or saw one twice
        for number, events in told_of.items():
            check_told(ledger, ids[number], events)
        kept = ledger.read(lambda b: b.events(stream=None, after=0, limit=10**6))
    assert [int(event["id"]) for event in told] == [event.cursor for event in kept]


def check_run(ledger, run, effects):
    assert run.state == "completed"
    jobs = ledger.read(lambda b: b.jobs_of(run.id))
    events = ledger.read(lambda b: b.events(stream=run.id, after=0, limit=10**6))
    ends = Counter(e.job_id for e in events if e.data.get("state") in JOB_ENDS)
    assert [e.number for e in events] == list(range(1, len(events) + 1))
    for job in jobs:
        assert ends[job.id] == 1
        attempts = ledger.read(lambda b, i=job.id: b.attempts_of(i))
        assert [a.number for a in attempts] == list(range(1, job.attempt + 1))
        assert [a.end for a in attempts] == ["lost"] * (job.attempt - 1) + ["completed"]
    # each execution left a folder: at least once, and not once more than there were attempts
    left = list(effects.glob(f"run-{run.labels['number']}-*"))
    assert 1 <= len(left) <= next(job.attempt for job in jobs if job.step == "outer")


def check_told(ledger, run_id, events):
    kept = ledger.read(lambda b: b.events(stream=run_id, after=0, limit=10**6))
    assert [int(event["id"]) for event in events] == [event.number for event in kept]


@contextmanager
def locked(path):
    """As a program that writes to the ledger, and takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


def test_while_another_program_locks_the_ledger_nothing_is_lost(tmp_path):
    effects = tmp_path / "effects"
    effects.mkdir()
    with (
        running_server(tmp_path / "state", "--slots", "2") as server,
        Team(server, effects) as team,
        ThreadPoolExecutor(10) as pool,
    ):
        with locked(server.data_dir / "ledger.db"):
            # When requests come while the ledger is locked
            asked = [pool.submit(team.submit, number) for number in range(9)]
            # Then what only reads is answered
            assert team.http.get("/runs").json()["runs"] == []
            assert not any(each.done() for each in asked)
        # and the others when it is free again
        ids = [each.result(60) for each in asked]
        for run_id in ids:
            assert team.http.get(f"/runs/{run_id}", params={"wait": 25}).json()["ended_at"]
        assert [team.post(number) for number in range(9)] == ids
