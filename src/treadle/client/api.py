"""The API's routes as coroutines that give and take records."""

import functools
import math
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from treadle.client.details import (
    GroupDetail,
    JobDetail,
    RunDetail,
    is_end,
    read_record,
    read_run,
)
from treadle.client.download import FileRoom, download, download_into
from treadle.client.link import Link
from treadle.client.story import story
from treadle.client.wire import Content, Wire
from treadle.model import bindings
from treadle.model.access import Token
from treadle.model.bindings import Arguments
from treadle.model.groups import Group
from treadle.model.records import Attempt, Event, Job, Metric, Run, Submission, Tool
from treadle.model.refs import Ref
from treadle.model.states import JOB_ENDS, RUN_ENDS
from treadle.model.wire import to_wire

LONG_POLL_SECONDS = 300.0


class Api:
    """One method per route."""

    def __init__(self, link: Link) -> None:
        self.wire = Wire(link)

    async def health(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.wire.get("/health")
        return found

    # blobs

    async def missing_blobs(self, digests: list[str]) -> list[str]:
        found = await self.wire.post("/blobs/missing", {"digests": digests})
        missing: list[str] = found["missing"]
        return missing

    async def put_blob(self, digest: str, data: Content) -> None:
        await self.wire.request("PUT", f"/blobs/{digest}", content=data)

    async def put_blobs(self, blobs: Content) -> None:
        """Many small ones in one request, each behind its length in 8 bytes."""
        await self.wire.request("POST", "/blobs", content=blobs)

    async def has_snapshot(self, digest: str) -> bool:
        """Whether it is there with all its files; if it is, it stays for an hour."""
        found = await self.wire.post(f"/snapshots/{digest}")
        known: bool = found["known"]
        return known

    async def put_snapshot(self, manifest: bytes) -> tuple[str | None, list[str]]:
        """(digest, []), or (None, the blobs that are missing yet)."""
        answer = await self.wire.request("POST", "/snapshots", content=manifest)
        found = msgspec.json.decode(answer.content)
        return found["digest"], found["missing"]

    async def blob(self, digest: str) -> bytearray:
        return (await download(self.wire, f"/blobs/{digest}"))[0]

    async def output(self, job_id: str, name: str) -> tuple[bytearray, str, str]:
        """(bytes, codec, media type) of a job's output."""
        path = f"/jobs/{job_id}/outputs/{quote(name, safe='')}"
        data, headers = await download(self.wire, path)
        return data, headers["treadle-codec"], headers["content-type"]

    async def save_output(self, job_id: str, name: str, descriptor: int) -> tuple[int, str, str]:
        """(size in bytes, codec, media type) of a job's output, which is in the file then.

        Raises OSError where it cannot be written.
        """
        path = f"/jobs/{job_id}/outputs/{quote(name, safe='')}"
        room = functools.partial(FileRoom, descriptor)
        data, headers = await download_into(self.wire, path, room)
        return len(data), headers["treadle-codec"], headers["content-type"]

    # jobs

    async def call(self, tool: Tool, arguments: Arguments, priority: int = 0) -> Job:
        body = {
            "tool": to_wire(tool),
            "arguments": {name: bindings.to_wire(b) for name, b in arguments.items()},
            "priority": priority,
        }
        return read_record(Job, await self.wire.post("/calls", body, creates=True))

    async def job(self, job_id: str, wait_seconds: float = 0.0) -> JobDetail:
        wire = await self.wire.get(f"/jobs/{job_id}", wait=wait_seconds or None)
        outputs, attempts = wire.pop("outputs"), wire.pop("attempts")
        return JobDetail(
            job=read_record(Job, wire),
            outputs={name: Ref.from_wire(ref) for name, ref in outputs.items()},
            attempts=tuple(read_record(Attempt, each) for each in attempts),
        )

    async def abort_job(self, job_id: str, grace_seconds: float | None = None) -> None:
        """Of a call; a job of a run ends with its run."""
        body = {} if grace_seconds is None else {"grace_seconds": grace_seconds}
        await self.wire.post(f"/jobs/{job_id}/abort", body)

    async def jobs(self, **query: Any) -> tuple[list[Job], str | None]:
        """A page of the calls, or of the jobs of a `run`, and the cursor of the next."""
        wire = await self.wire.get("/jobs", **query)
        return [read_record(Job, each) for each in wire["jobs"]], wire["next"]

    async def search_log(self, job_id: str, text: str, **query: Any) -> dict[str, Any]:
        """A page of the lines of its log that have the text: `lines`, and `next`."""
        path = f"/jobs/{job_id}/log/search"
        found: dict[str, Any] = await self.wire.get(path, text=text, **query)
        return found

    async def job_ended(self, job_id: str) -> JobDetail:
        """Wait for the job's end."""
        while (found := await self.job(job_id, LONG_POLL_SECONDS)).job.state not in JOB_ENDS:
            pass
        return found

    async def log(
        self, job_id: str, *, attempt: int | None = None, offset: int = 0, follow: bool = False
    ) -> AsyncIterator[bytes]:
        """What the attempt (default: the last) printed, from a place on."""
        backoff = self.wire.backoff()
        while True:
            try:
                async with self.wire.stream(
                    f"/jobs/{job_id}/log", backoff, attempt=attempt, offset=offset, follow=follow
                ) as answer:
                    attempt = int(answer.headers["treadle-attempt"])
                    async for part in answer.aiter_raw():
                        backoff.renew()
                        offset += len(part)
                        yield part
                    return
            except ConnectionResetError:
                continue

    async def log_part(
        self, job_id: str, attempt: int | None, offset: int, limit: int
    ) -> tuple[bytes, int]:
        """(at most limit bytes from the place on, size of the log now)."""
        answer = await self.wire.request(
            "GET",
            f"/jobs/{job_id}/log",
            params={"attempt": attempt, "offset": offset, "limit": limit},
        )
        return answer.content, int(answer.headers["treadle-log-size"])

    # runs

    async def submit(self, submission: Submission) -> Run:
        return read_run(await self.wire.post("/runs", to_wire(submission), creates=True))

    async def runs(self, **query: Any) -> tuple[list[Run], str | None]:
        """A page of runs, newest first, and the cursor of the next."""
        wire = await self.wire.get("/runs", **query)
        return [read_run(each) for each in wire["runs"]], wire["next"]

    async def run(self, run_id: str, wait_seconds: float = 0.0) -> Run:
        return read_run(
            await self.wire.get(f"/runs/{run_id}", jobs=False, wait=wait_seconds or None)
        )

    async def run_ended(self, run_id: str, timeout_seconds: float | None = None) -> Run:
        """Wait for the run's end, or for the time to be over."""
        left = math.inf if timeout_seconds is None else timeout_seconds
        while True:
            wait = min(left, LONG_POLL_SECONDS)
            run = await self.run(run_id, wait)
            left -= wait
            if run.state in RUN_ENDS or left <= 0 or self.wire.link.read_only:
                return run

    async def run_detail(self, run_id: str, *, arguments: bool = False) -> RunDetail:
        wire = await self.wire.get(f"/runs/{run_id}", arguments=arguments or None)
        jobs, edges, given = wire.pop("jobs"), wire.pop("edges"), wire.pop("arguments", {})
        tools = wire.pop("tools", {})
        return RunDetail(
            run=read_run(wire),
            jobs=tuple(read_record(Job, job) for job in jobs),
            edges=tuple((parent, child) for parent, child in edges),
            arguments={
                job_id: {name: bindings.from_wire(b) for name, b in each.items()}
                for job_id, each in given.items()
            },
            kinds={key: tool["kind"] for key, tool in tools.items()},
        )

    async def abort(self, run_id: str, grace_seconds: float | None = None) -> Run:
        body = {} if grace_seconds is None else {"grace_seconds": grace_seconds}
        return read_run(await self.wire.post(f"/runs/{run_id}/abort", body))

    async def retry(self, run_id: str) -> Run:
        return read_run(await self.wire.post(f"/runs/{run_id}/retry", creates=True))

    async def delete(self, run_id: str) -> None:
        await self.wire.request("DELETE", f"/runs/{run_id}")

    async def groups(self, **query: Any) -> tuple[list[Group], str | None]:
        """A page of the groups, newest first, and the cursor of the next."""
        wire = await self.wire.get("/groups", **query)
        return [read_record(Group, each) for each in wire["groups"]], wire["next"]

    async def group(self, name: str) -> GroupDetail:
        """All its runs."""
        runs, active, began = list[Run](), list[Job](), dict[str, datetime]()
        before: str | None = None
        while True:
            wire = await self.wire.get(f"/groups/{quote(name, safe='')}", before=before)
            runs += [read_run(each) for each in wire["runs"]]
            active += [read_record(Job, each) for each in wire["active"]]
            began |= {key: datetime.fromisoformat(at) for key, at in wire["began"].items()}
            if (before := wire["next"]) is None:
                return GroupDetail(runs=tuple(runs), active=tuple(active), began=began)

    async def metrics(self, run_id: str, *, last: bool = False) -> list[Metric]:
        """All that was logged, in order; or the last values, in the order of the steps."""
        wire = await self.wire.get(f"/runs/{run_id}/metrics", last=last or None)
        return [
            read_record(Metric, each | {"value": float(each["value"])}) for each in wire["metrics"]
        ]

    async def events(
        self, run_id: str, *, after: int = 0, follow: bool = True, output: bool = False
    ) -> AsyncIterator[list[Event]]:
        """A run's diary in batches, from a number on; to the run's end when following.

        output: with what is printed, as `text` of `job.output`.
        """
        ended = not follow or self.wire.link.read_only

        async def is_over() -> bool:
            return ended or (await self.run(run_id)).state in RUN_ENDS

        path = f"/runs/{run_id}/events"
        query = {"follow": follow, "output": output or None}
        async for batch in story(self.wire, path, str(after), is_over, **query):
            events = [read_record(Event, told.document) for told in batch]
            ended = ended or any(is_end(event) for event in events)
            yield events

    async def all_events(
        self, *, after: str | None = None, follow: bool = True
    ) -> AsyncIterator[list[Event]]:
        """The diary of all runs in batches, from behind the event of this cursor on.

        Without one, from now on.
        """

        async def is_over() -> bool:
            return not follow

        async for batch in story(self.wire, "/events", after, is_over, follow=follow):
            yield [read_record(Event, told.document) for told in batch]

    # what there is

    async def tools(self, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the tools, and the cursor of the next."""
        wire = await self.wire.get("/tools", **query)
        return wire["tools"], wire["next"]

    async def tool(self, name: str, version: str) -> Tool:
        """The definition of a version."""
        path = f"/tools/{quote(name, safe='')}/versions/{quote(version, safe='')}"
        return read_record(Tool, await self.wire.get(path))

    async def pipelines(self, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the pipelines, and the cursor of the next."""
        wire = await self.wire.get("/pipelines", **query)
        return wire["pipelines"], wire["next"]

    async def gc(self, *, dry_run: bool, retention_days: float | None) -> dict[str, Any]:
        body: dict[str, Any] = {"dry_run": dry_run}
        if retention_days is not None:
            body["retention_days"] = retention_days
        found: dict[str, Any] = await self.wire.post("/gc", body)
        return found

    # who may ask, and who did

    async def create_token(self, wanted: Mapping[str, Any]) -> tuple[Token, str]:
        """(the token, its text, which nobody can have again). wanted: name, scopes, ..."""
        wire = await self.wire.post("/tokens", wanted, creates=True)
        text: str = wire.pop("text")
        return read_record(Token, wire), text

    async def tokens(self) -> list[Token]:
        """All of them, oldest first."""
        return [read_record(Token, each) for each in (await self.wire.get("/tokens"))["tokens"]]

    async def revoke_token(self, name: str) -> None:
        """By name or id."""
        await self.wire.request("DELETE", f"/tokens/{quote(name, safe='')}")

    async def audit(self, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the audit log, newest first, and the cursor of the next."""
        wire = await self.wire.get("/audit", **query)
        return wire["entries"], wire["next"]
