"""What a client can run, made a submission: a @pipeline, a file, or what was made of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from treadle.client.uploads import upload, upload_bundle
from treadle.errors import InvalidRequest, MissingBlob
from treadle.model.groups import GROUP, checked_name
from treadle.model.records import Run, Submission

if TYPE_CHECKING:
    from treadle.authoring import PipelineFunction
    from treadle.authoring.tracing import Traced
    from treadle.client.api import Api

    Runnable: TypeAlias = PipelineFunction[..., Any] | Traced | Submission | Path | str

Sending = Callable[["Api"], Awaitable[Run]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How runs are to be, whatever their parameters are. What is None is as the pipeline says.

    pipeline: which of a file's pipelines. text_parameters: of a file, as typed on a command line.
    """

    pipeline: str | None = None
    priority: int | None = None
    fail_fast: bool | None = None
    labels: Mapping[str, str] | None = None
    group: str | None = None
    text_parameters: Mapping[str, str] = field(default_factory=dict)

    def all_labels(self) -> dict[str, str]:
        """With that of the group. Raises InvalidRequest for a name that is none."""
        grouped = {} if self.group is None else {GROUP: checked_name(self.group)}
        return {**(self.labels or {}), **grouped}

    def changes(self) -> dict[str, Any]:
        """What replaces a submission's own."""
        given = {"priority": self.priority, "fail_fast": self.fail_fast}
        return {name: value for name, value in given.items() if value is not None}


def sending(
    what: "Runnable",
    args: tuple[Any, ...],
    parameters: Mapping[str, Any],
    options: RunOptions,
    uploaded: set[str],
) -> Sending:
    """A coroutine function that submits it. uploaded: digests sent before, kept up to date.

    Raises InvalidParameters and InvalidDefinition for a @pipeline, which is traced here.
    """
    if isinstance(what, str | Path):
        loading = loading_of(what, args, parameters, options)

        async def load_and_send(api: "Api") -> Run:
            return await api.submit(await loading(api))

        return load_and_send
    if isinstance(what, Submission):
        _refuse_parameters(args, parameters, "A submission")
        submission = _changed(what, options)
        return lambda api: api.submit(submission)
    return _of_traced(_traced(what, args, parameters), options, uploaded)


def loading_of(
    file: Path | str, args: tuple[Any, ...], parameters: Mapping[str, Any], options: RunOptions
) -> Callable[["Api"], Awaitable[Submission]]:
    """A coroutine function that loads a pipeline's file in a slot. "FILE:NAME" names one in it."""
    from treadle.client.loading import FileRequest, load  # noqa: PLC0415 - msgspec, blake3

    if args:
        raise InvalidRequest(
            "Parameters of a file are given by name.", hint='As in run("FILE.py", name=value).'
        )
    path, name = split_name(file)
    request = FileRequest(
        path=path,
        pipeline=name or options.pipeline,
        parameters=parameters,
        text_parameters=options.text_parameters,
        labels=options.all_labels(),
        **options.changes(),
    )
    return lambda api: load(api, request)


def split_name(file: Path | str) -> tuple[Path, str | None]:
    """The path, and the name of a pipeline in it, of FILE or FILE:NAME."""
    text, colon, name = str(file).rpartition(":")
    if isinstance(file, Path) or not colon or not name.isidentifier() or Path(file).exists():
        return Path(file), None
    return Path(text), name


def _traced(
    what: "PipelineFunction[..., Any] | Traced",
    args: tuple[Any, ...],
    parameters: Mapping[str, Any],
) -> "Traced":
    """Known by what they can do: their room leads on to the server's side, which we do not see."""
    given: Any = what
    if callable(getattr(given, "trace", None)):
        traced: Traced = given.trace(*args, **parameters)
        return traced
    if hasattr(given, "submission") and hasattr(given, "bundles"):
        _refuse_parameters(args, parameters, "What was traced")
        return cast("Traced", given)
    raise InvalidRequest(
        f"{what!r} cannot be run.", hint="Give a function made by @pipeline, or a pipeline's file."
    )


def _of_traced(traced: "Traced", options: RunOptions, uploaded: set[str]) -> Sending:
    submission = replace(traced.submission(options.all_labels()), **options.changes())

    async def send(api: "Api") -> Run:
        for bundle in traced.bundles:
            await upload_bundle(api, bundle)
        try:
            new = {d: data for d, data in traced.blobs.items() if d not in uploaded}
            await upload(api, new)
            made = await api.submit(submission)
        except MissingBlob:  # freed since we put it
            await upload(api, traced.blobs)
            made = await api.submit(submission)
        uploaded.update(traced.blobs)
        return made

    return send


def _changed(submission: Submission, options: RunOptions) -> Submission:
    labels = {**submission.labels, **options.all_labels()}
    return replace(submission, labels=labels, **options.changes())


def _refuse_parameters(args: tuple[Any, ...], parameters: Mapping[str, Any], what: str) -> None:
    if args or parameters:
        raise InvalidRequest(f"{what} has its parameters already.")
