"""The blocking client of one data directory."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.client.door import Door
from treadle.client.link import Link
from treadle.client.runs import Run
from treadle.client.uploads import upload, upload_bundle
from treadle.errors import InvalidRequest, MissingBlob
from treadle.model.records import Run as RunRecord
from treadle.model.records import Submission

if TYPE_CHECKING:
    from treadle.authoring import PipelineFunction
    from treadle.authoring.tracing import Traced
    from treadle.client.api import Api
    from treadle.client.loading import FileRequest


class Client(AbstractContextManager["Client"]):
    """Runs pipelines and looks at runs; safe to use from several threads.

    Made by `treadle.server.embedded.connect`; close it, or use it in a `with` statement.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self.door = Door(link)
        self._uploaded: set[str] = set()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the house. What its owner was running is handed back to the queue."""
        self.link.close()

    # running

    def submit(self, pipeline: "PipelineFunction[..., Any]", *args: Any, **parameters: Any) -> Run:
        """Start a run of a @pipeline and return it at once. The arguments are the pipeline's."""
        return self.submit_traced(pipeline.trace(*args, **parameters))

    def run(self, pipeline: "PipelineFunction[..., Any]", *args: Any, **parameters: Any) -> Run:
        """Run a @pipeline and wait for its end. An interrupt aborts it."""
        self._refuse_inside_a_job()
        return self._to_the_end(self.submit(pipeline, *args, **parameters))

    def submit_traced(
        self, traced: "Traced", labels: Mapping[str, str] | None = None, **changes: Any
    ) -> Run:
        """Start a run of what was traced. changes: priority, fail_fast."""
        submission = replace(traced.submission(labels), **changes)

        async def send(api: "Api") -> RunRecord:
            for bundle in traced.bundles:
                await upload_bundle(api, bundle)
            try:
                await upload(api, _without(traced.blobs, self._uploaded))
                made = await api.submit(submission)
            except MissingBlob:  # freed since we put it
                await upload(api, traced.blobs)
                made = await api.submit(submission)
            self._uploaded |= traced.blobs.keys()
            return made

        return Run(self.door, self.door(send))

    def submit_file(self, path: Path | str, pipeline: str | None = None, **options: Any) -> Run:
        """Start a run of a pipeline in a file, which is loaded in a slot, not here.

        options: parameters, text_parameters (as typed on a command line), priority, fail_fast,
        labels. Raises InvalidDefinition or InvalidParameters, with file and line.
        """
        from treadle.client.loading import load  # noqa: PLC0415 - msgspec, blake3

        request = _file_request(path, pipeline, options)

        async def send(api: "Api") -> RunRecord:
            return await api.submit(await load(api, request))

        return Run(self.door, self.door(send))

    def load_file(
        self, path: Path | str, pipeline: str | None = None, **options: Any
    ) -> Submission:
        """The submission that `submit_file` would send, all that it names uploaded; nothing runs.

        Options as for submit_file.
        """
        from treadle.client.loading import load  # noqa: PLC0415 - msgspec, blake3

        request = _file_request(path, pipeline, options)
        return self.door(lambda api: load(api, request))

    def run_file(self, path: Path | str, pipeline: str | None = None, **options: Any) -> Run:
        """Run a pipeline in a file and wait for its end. Options as for submit_file."""
        self._refuse_inside_a_job()
        return self._to_the_end(self.submit_file(path, pipeline, **options))

    def submit_submission(self, submission: Submission) -> Run:
        """Start a run of a submission as it stands; what it names must be stored already."""
        return Run(self.door, self.door(lambda api: api.submit(submission)))

    def _refuse_inside_a_job(self) -> None:
        if self.link.inside_a_job:
            raise InvalidRequest(
                "A step cannot wait for a run: it holds a slot that the run may need.",
                hint="Call the tools of the other pipeline in this one, or submit it and go on.",
            )

    def _to_the_end(self, run: Run) -> Run:
        try:
            return run.wait()
        except KeyboardInterrupt:
            run.abort()
            raise

    # looking

    def runs(self, **query: Any) -> list[Run]:
        """Runs, newest first. query: state, pipeline, label ("key=value"), before, limit (50)."""
        return [Run(self.door, record) for record in self.runs_page(**query)[0]]

    def runs_page(self, **query: Any) -> tuple[list[RunRecord], str | None]:
        """A page of runs as records, and the `before` of the next page, or None."""
        return self.door(lambda api: api.runs(**query))

    def get_run(self, run_id: str) -> Run:
        """A run by its id, the start of its id, or "latest". Raises NotFound, InvalidRequest."""
        return Run(self.door, self.door(lambda api: api.run(run_id)))

    def abort(self, run_id: str, *, grace_seconds: float | None = None) -> None:
        """Ask for a run's end."""
        self.door(lambda api: api.abort(run_id, grace_seconds))

    def retry(self, run_id: str) -> Run:
        """A new run of what did not complete."""
        return Run(self.door, self.door(lambda api: api.retry(run_id)))

    def delete(self, run_id: str) -> None:
        """Forget an ended run with its logs."""
        self.door(lambda api: api.delete(run_id))

    def gc(self, *, dry_run: bool = False, retention_days: float | None = None) -> dict[str, Any]:
        """Free what nothing refers to: {"runs", "blobs", "bytes", "folders",
        "environments"} removed."""
        return self.door(lambda api: api.gc(dry_run=dry_run, retention_days=retention_days))

    def health(self) -> dict[str, Any]:
        """Who the owner is, and how busy."""
        return self.door(lambda api: api.health())

    def __repr__(self) -> str:
        return f"<treadle client of {self.link!r}>"


def _file_request(path: Path | str, pipeline: str | None, options: Any) -> "FileRequest":
    from treadle.client.loading import FileRequest  # noqa: PLC0415 - msgspec, blake3

    given = {name: value for name, value in options.items() if value is not None}
    return FileRequest(path=Path(path), pipeline=pipeline, **given)


def _without(blobs: Mapping[str, bytes], known: set[str]) -> dict[str, bytes]:
    return {digest: data for digest, data in blobs.items() if digest not in known}
