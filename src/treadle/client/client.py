"""The client of a data directory or server."""

import copy
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from treadle.client.door import Door
from treadle.client.link import Link
from treadle.client.listing import all_pages, wired
from treadle.client.runs import Run
from treadle.client.sending import RunOptions, loading_of, sending
from treadle.client.steps import StepHandle
from treadle.errors import InvalidRequest
from treadle.model.graph import nearest
from treadle.model.groups import Group
from treadle.model.records import Event, Submission

if TYPE_CHECKING:
    from treadle.client.api import Api
    from treadle.client.details import GroupDetail
    from treadle.client.sending import Runnable

_OPTIONS = [each.name for each in fields(RunOptions)]


class Client(AbstractContextManager["Client"]):
    """Runs pipelines and looks at runs; safe to use from several threads.

    Close it, or use it in a `with` statement. `treadle.connect` finds a server by itself,
    `treadle.local` is one in this process.
    """

    _door_kind: ClassVar[type[Door]] = Door

    def __init__(self, url: str | Link, token: str | None = None, **options: Any) -> None:
        """url: of a server, which is not asked before the first request. token: default
        TREADLE_TOKEN, or what `treadle login` remembered. options: ca_certificate (a file, default
        TREADLE_CA), patience_seconds (how long a lost connection is tried again, default 60).

        Raises InvalidRequest for what is no address.
        """
        self.link = _link(url, token, options)
        self.door = self._door_kind(self.link)
        self._options = RunOptions()
        self._uploaded: set[str] = set()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go; again is harmless. What an owner was running is handed back to the queue."""
        closing: None = self.door.close()
        return closing

    # running

    def options(self, **options: Any) -> Self:
        """The same client, whose runs have these options, such as
        `client.options(priority=5).run(...)`.

        priority, fail_fast: default as the pipeline says. labels, group. pipeline: which of a
        file's pipelines. text_parameters: of a file, as typed on a command line.
        """
        for name in options:
            if name not in _OPTIONS:
                raise InvalidRequest(
                    f"There is no option {name!r} of runs.",
                    hint=nearest(name, _OPTIONS) or "Parameters are given to run() and submit().",
                )
        same = copy.copy(self)
        same._options = replace(self._options, **options)
        return same

    def submit(self, what: "Runnable", /, *args: Any, **parameters: Any) -> Run:
        """Start a run and return it at once.

        what: a @pipeline, or the path of a pipeline's file, which is loaded in a slot, not here;
        "FILE.py:NAME" where it has several. The other arguments are the pipeline's.
        Raises InvalidDefinition and InvalidParameters, with file and line.
        """
        send = sending(what, args, parameters, self._options, self._uploaded)

        async def begin(api: "Api") -> Run:
            return Run(self.door, await send(api))

        return self.door(begin)

    def run(self, what: "Runnable", /, *args: Any, **parameters: Any) -> Run:
        """Run it and wait for the end, whatever that is. Arguments and errors as for submit.

        An interrupt, or a cancellation, aborts the run.
        """
        self._refuse_inside_a_job()
        send = sending(what, args, parameters, self._options, self._uploaded)

        async def begin_and_wait(api: "Api") -> Run:
            run = Run(self.door, await send(api))
            return await run.ended_or_aborted(api)

        return self.door(begin_and_wait)

    def load(self, file: Path | str, /, **parameters: Any) -> Submission:
        """What submit() would send for a file, all that it names uploaded; nothing runs."""
        return self.door(loading_of(file, (), parameters, self._options))

    def _refuse_inside_a_job(self) -> None:
        if self.link.inside_a_job:
            raise InvalidRequest(
                "A step cannot wait for a run: it holds a slot that the run may need.",
                hint="Call the tools of the other pipeline in this one, or submit it and go on.",
            )

    # looking

    def runs(self, *, limit: int | None = None, **filters: Any) -> Iterator[Run]:
        """Runs, newest first, fetched as they are asked for; all of them, or so many.

        filters: state, pipeline, label ("key=value"), group, user, since, until (datetimes),
        sort, before (a cursor).
        """
        query = wired(filters)

        async def each(api: "Api") -> AsyncIterator[Run]:
            async for record in all_pages(api.runs, query, limit):
                yield Run(self.door, record)

        return self.door.pull(each)

    def get_run(self, run_id: str) -> Run:
        """A run by its id, the start of its id, or "latest". Raises NotFound, InvalidRequest."""

        async def get(api: "Api") -> Run:
            return Run(self.door, await api.run(run_id))

        return self.door(get)

    def job(self, job_id: str) -> StepHandle:
        """A job by its id, of a run or of a call."""

        async def get(api: "Api") -> StepHandle:
            return StepHandle(self.door, (await api.job(job_id)).job)

        return self.door(get)

    def groups(self, *, limit: int | None = None) -> Iterator[Group]:
        """Groups of runs, newest first; all of them, or so many."""
        return self.door.pull(lambda api: all_pages(api.groups, {}, limit))

    def group(self, name: str) -> "GroupDetail":
        """The runs of a group, oldest first, and what of them is under way. Raises NotFound."""
        return self.door(lambda api: api.group(name))

    def tools(self, *, limit: int | None = None, **filters: Any) -> Iterator[Mapping[str, Any]]:
        """The tools that runs have used, as the HTTP API describes them."""
        return self.door.pull(lambda api: all_pages(api.tools, wired(filters), limit))

    def pipelines(self, *, limit: int | None = None, **filters: Any) -> Iterator[Mapping[str, Any]]:
        """The pipelines that have been run, as the HTTP API describes them."""
        return self.door.pull(lambda api: all_pages(api.pipelines, wired(filters), limit))

    def events(
        self, since: int | datetime | None = None, *, follow: bool = True
    ) -> Iterator[Event]:
        """What happens in all runs; with follow, without an end.

        since: the `cursor` of the last event that is known (0: all that are kept), or a time.
        Default: from now on.
        """
        wired({"since": since})  # a time has its zone
        after = 0 if isinstance(since, datetime) else since
        begin = since if isinstance(since, datetime) else None

        async def each(api: "Api") -> AsyncIterator[Event]:
            place = None if after is None else str(after)
            async for batch in api.all_events(after=place, follow=follow):
                for event in batch:
                    if begin is None or event.at >= begin:
                        yield event

        return self.door.pull(each)

    # moving

    def abort(self, run_id: str, *, grace_seconds: float | None = None) -> None:
        """Ask for a run's end."""

        async def ask(api: "Api") -> None:
            await api.abort(run_id, grace_seconds)

        return self.door(ask)

    def retry(self, run_id: str) -> Run:
        """A new run of what did not complete."""

        async def again(api: "Api") -> Run:
            return Run(self.door, await api.retry(run_id))

        return self.door(again)

    def delete(self, run_id: str) -> None:
        """Forget an ended run with its logs."""
        return self.door(lambda api: api.delete(run_id))

    def gc(self, *, dry_run: bool = False, retention_days: float | None = None) -> dict[str, Any]:
        """Free what nothing refers to: {"runs", "blobs", "bytes", "folders",
        "environments"} removed."""
        return self.door(lambda api: api.gc(dry_run=dry_run, retention_days=retention_days))

    def health(self) -> dict[str, Any]:
        """Who the owner is, and how busy."""
        return self.door(lambda api: api.health())

    def __repr__(self) -> str:
        return f"<treadle client of {self.link!r}>"


def _link(url: str | Link, token: str | None, options: dict[str, Any]) -> Link:
    if not isinstance(url, str | os.PathLike):
        return url
    from treadle.client.remote import RemoteLink  # noqa: PLC0415 - anyio, ssl: not in a step

    return RemoteLink(os.fspath(url), token, **options)
