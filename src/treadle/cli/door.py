"""The CLI's door to a server or a data directory: what commands ask of the client, as records.

`opening.opened` makes it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.errors import InvalidRequest, NotFound
from treadle.model.access import Token
from treadle.model.bindings import Arguments
from treadle.model.graph import nearest
from treadle.model.groups import Group, Measured, last_values
from treadle.model.records import Event, Job, Metric, Run, Submission
from treadle.model.refs import Ref

if TYPE_CHECKING:
    from treadle.client import Client
    from treadle.client.details import GroupDetail
    from treadle.client.progress import Uploading
    from treadle.server.embedded import Embedded

LAST = ("@last", "latest")
PAGE = 500  #: runs asked for at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run with its jobs, in the order of its steps. edges: (parent job, child job); kinds: of
    tools, by their ids."""

    run: Run
    jobs: list[Job]
    edges: list[tuple[str, str]]
    kinds: Mapping[str, str]


class Door:
    """One open server or data directory; safe to use from several threads.

    server: its address; "" for a data directory, whose link is `local`.
    """

    def __init__(self, client: "Client", local: "Embedded | None" = None, server: str = "") -> None:
        self._client = client
        self._ask = client.door
        self._local = local
        self.server = server

    # the house

    @property
    def embedded(self) -> bool:
        """This process is the owner."""
        return self._local is not None and self._local.is_owner

    @property
    def read_only(self) -> bool:
        """Nobody is the owner: nothing moves."""
        return self._client.link.read_only

    @property
    def after_leaving(self) -> str:
        """What a second Ctrl-C does, after the first has asked for an abort."""
        return "leaves the rest to the server" if self.server else "leaves at once"

    def on_notice(self, told: Callable[[str], None]) -> None:
        """Have notices about the connection told there; from another thread."""
        self._client.link.on_notice = told

    def on_uploading(self, told: "Callable[[Uploading], None]") -> None:
        """Have it told there how far an upload of code is; from another thread."""
        self._client.link.on_uploading = told

    def linger(self, on_wait: Callable[[list[Run]], None], give_up: Callable[[], bool]) -> None:
        """As the owner, wait for the runs of others, or until give_up(). on_wait: told which."""
        if self._local is not None:
            self._local.linger(on_wait, give_up)

    def close(self) -> None:
        """Let go of the house; again is harmless."""
        self._client.close()

    def health(self) -> dict[str, Any]:
        return self._client.health()

    def gc(self, *, dry_run: bool, retention_days: float | None) -> dict[str, Any]:
        return self._client.gc(dry_run=dry_run, retention_days=retention_days)

    # who may ask, and who did

    def create_token(self, wanted: Mapping[str, Any]) -> tuple[Token, str]:
        """(the token, its text, which nobody can have again). wanted: as POST /tokens takes it."""
        return self._ask(lambda api: api.create_token(wanted))

    def tokens(self) -> list[Token]:
        """Oldest first."""
        return self._ask(lambda api: api.tokens())

    def revoke_token(self, name: str) -> None:
        """By name or id. Raises NotFound."""
        self._ask(lambda api: api.revoke_token(name))

    def audit(self, *, limit: int | None, user: str | None = None) -> Iterator[dict[str, Any]]:
        """Lines of the audit log, newest first. limit: None for all."""
        before: str | None = None
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page, before = self._audit_page(before, size, user)
            yield from page
            left = None if left is None else left - len(page)
            if before is None:
                return

    def _audit_page(
        self, before: str | None, limit: int, user: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        return self._ask(lambda api: api.audit(before=before, limit=limit, user=user))

    # runs

    def submit_file(self, file: Path, pipeline: str | None, **options: Any) -> Run:
        return self._client.options(pipeline=pipeline, **options).submit(file).record

    def load_file(self, file: Path, pipeline: str | None, **options: Any) -> Submission:
        """What `submit_file` would submit. options: as `treadle.client.Client.options`."""
        return self._client.options(pipeline=pipeline, **options).load(file)

    def load_each(
        self, file: Path, pipeline: str | None, variations: Iterable[Mapping[str, Any]]
    ) -> Iterator[Submission]:
        """What `submit_file` would submit with each of these options, in order, of the same code.

        Raises as `load_file`, in the place of the first that is wrong.
        """
        from treadle.client.loading import FileRequest, load_each  # noqa: PLC0415 - msgspec, blake3

        requests = [FileRequest(path=file, pipeline=pipeline, **given) for given in variations]
        return self._ask.pull(lambda api: load_each(api, requests))

    def submit(self, submission: Submission) -> Run:
        return self._client.submit(submission).record

    def find(self, asked: str) -> Run:
        """The run of an id, of its unique beginning, or the newest (@last).

        Raises NotFound, InvalidRequest.
        """
        if not asked:
            raise InvalidRequest("The id of the run is empty.", hint="`treadle ps` lists the runs.")
        if asked not in LAST:
            return self._ask(lambda api: api.run(asked))
        newest = self.runs(limit=1)
        if not newest:
            raise NotFound("There are no runs yet.", hint="Begin one: treadle run FILE")
        return newest[0]

    def run(self, run_id: str) -> Run:
        return self._ask(lambda api: api.run(run_id))

    def runs(self, *, limit: int | None, **query: str | None) -> list[Run]:
        """Newest first. limit: None for all."""
        found: list[Run] = []
        before: str | None = None
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page, before = self._runs_page(before=before, limit=size, **query)
            found += page
            if before is None:
                break
        return found

    def _runs_page(self, **query: Any) -> tuple[list[Run], str | None]:
        return self._ask(lambda api: api.runs(**query))

    def snapshot(self, run_id: str) -> Snapshot:
        detail = self._ask(lambda api: api.run_detail(run_id))
        return Snapshot(
            run=detail.run,
            jobs=list(detail.jobs),
            edges=list(detail.edges),
            kinds=detail.kinds,
        )

    def arguments(self, run_id: str) -> Mapping[str, Arguments]:
        """What each job was called with, by job id."""
        return self._ask(lambda api: api.run_detail(run_id, arguments=True)).arguments

    def metrics(self, run_id: str) -> list[Metric]:
        return self._ask(lambda api: api.metrics(run_id))

    def last_values(self, run_ids: Iterable[str]) -> Measured:
        """The last value of each metric of each run."""
        return {run_id: last_values(self.last_metrics(run_id)) for run_id in run_ids}

    def last_metrics(self, run_id: str) -> list[Metric]:
        """The last value of each metric of each job, in the order of the steps."""
        return self._ask(lambda api: api.metrics(run_id, last=True))

    def groups(self, *, limit: int | None) -> list[Group]:
        """Newest first. limit: None for all."""
        found: list[Group] = []
        before: str | None = None
        while limit is None or len(found) < limit:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page, before = self._groups_page(before, size)
            found += page
            if before is None:
                break
        return found

    def _groups_page(self, before: str | None, limit: int) -> tuple[list[Group], str | None]:
        return self._ask(lambda api: api.groups(before=before, limit=limit))

    def group(self, name: str) -> "GroupDetail":
        """The runs of a group, oldest first, and their jobs under way. Raises NotFound."""
        return self._ask(lambda api: api.group(name))

    def events(self, run_id: str) -> Iterator[Event]:
        """All that happened, then what happens, to the run's end."""
        for batch in self._ask.pull(lambda api: api.events(run_id)):
            yield from batch

    def all_events(self, *, follow: bool, after: str | None) -> Iterator[Event]:
        """The diary of all runs from behind a cursor on; None: from now on."""
        for batch in self._ask.pull(lambda api: api.all_events(after=after, follow=follow)):
            yield from (event for event in batch if event.number)  # others are news, not the diary

    def abort(self, run_id: str, *, grace_seconds: float | None = None) -> None:
        self._client.abort(run_id, grace_seconds=grace_seconds)

    def retry(self, run_id: str) -> Run:
        return self._client.retry(run_id).record

    def delete(self, run_id: str) -> None:
        self._client.delete(run_id)

    def wait(self, run_id: str, timeout_seconds: float | None = None) -> Run:
        """The run when it has ended, or when so much time has gone by."""
        return self._ask(lambda api: api.run_ended(run_id, timeout_seconds))

    def blob(self, digest: str) -> bytes:
        """Stored bytes, a file of a run's code for instance. Raises MissingBlob."""
        return bytes(self._ask(lambda api: api.blob(digest)))

    # jobs

    def log(self, job_id: str, attempt: int | None, offset: int, limit: int) -> tuple[bytes, int]:
        """(some bytes of an attempt's log, the size of all of it). attempt: None for the last."""
        return self._ask(lambda api: api.log_part(job_id, attempt, offset, limit))

    def log_chunks(self, job_id: str, attempt: int, *, follow: bool) -> Iterator[bytes]:
        return self._ask.pull(lambda api: api.log(job_id, attempt=attempt, follow=follow))

    def outputs(self, job_id: str) -> Mapping[str, Ref]:
        return self._ask(lambda api: api.job(job_id)).outputs

    def output(self, job_id: str, name: str) -> tuple[Ref, bytearray]:
        """A stored output as it stands. Raises NotFound, Conflict."""
        data, codec, media_type = self._ask(lambda api: api.output(job_id, name))
        return self._ref(job_id, name, len(data), codec, media_type), data

    def save_output(self, job_id: str, name: str, descriptor: int) -> Ref:
        """Write a stored output to an open file as it comes. Raises as `output`, and OSError."""
        told = self._ask(lambda api: api.save_output(job_id, name, descriptor))
        return self._ref(job_id, name, *told)

    def _ref(self, job_id: str, name: str, size_bytes: int, codec: str, media_type: str) -> Ref:
        """As it is stored; an output that is made of others has no digest."""
        return self.outputs(job_id).get(name) or Ref(
            digest="", size_bytes=size_bytes, media_type=media_type, codec=codec
        )


def step_of(jobs: Sequence[Job], step: str) -> Job:
    """The job of a step. Raises NotFound with the nearest right spelling."""
    found = {job.step: job for job in jobs}
    if step in found:
        return found[step]
    hint = nearest(step, found) or f"It has {', '.join(list(found)[:8])}."
    raise NotFound(f"The run has no step {step!r}.", hint=hint)
