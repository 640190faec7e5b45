"""A pipeline's file becomes a submission.

Python: bundled here, loaded in a slot, never imported by us. A pipeline file (YAML, JSON) is data:
it is read here.
"""

import base64
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec
from anyio import CancelScope, get_cancelled_exc_class, to_thread
from blake3 import blake3

from treadle.authoring.bundles import Bundle, bundle
from treadle.authoring.envelope import Recipient
from treadle.client.uploads import upload, upload_bundle
from treadle.client.values import job_error, no_result, own_error
from treadle.errors import InvalidDefinition, InvalidRequest, TreadleError
from treadle.model.bindings import DEFAULT_OUTPUT, Value
from treadle.model.records import (
    Code,
    Execution,
    FailureType,
    Job,
    Pipeline,
    Submission,
    Tool,
)
from treadle.model.wire import from_wire

if TYPE_CHECKING:
    from treadle.client.api import Api
    from treadle.client.details import JobDetail
    from treadle.formats.native import Loaded

DOCUMENTS = (".yaml", ".yml", ".json")
log = logging.getLogger(__name__)
LOADER = "treadle.authoring.loading:load_pipeline"
TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """What is asked of a pipeline's file. What is None is as the file says.

    text_parameters: as typed on a command line, read by the parameter's schema.
    """

    path: Path
    pipeline: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    text_parameters: Mapping[str, str] = field(default_factory=dict)
    priority: int | None = None
    fail_fast: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def is_document(path: Path) -> bool:
    """Whether the file is a pipeline file, not Python."""
    return path.suffix.lower() in DOCUMENTS


def read_document(request: FileRequest, bundled: "Bundle | None" = None) -> "Loaded":
    """What a pipeline file says, checked; needs no server.

    bundled: what its steps are to be pinned to; without it the result is only to be looked at.
    Raises InvalidDefinition and InvalidParameters, with file, line and column.
    """
    from treadle.formats import native  # noqa: PLC0415 - yaml: only for such files

    if request.pipeline is not None:
        raise InvalidRequest(
            f"{request.path} is a pipeline file: it holds one pipeline, which needs no name.",
            hint=f"Leave :{request.pipeline} out.",
        )
    file = Path(os.path.abspath(request.path.expanduser()))
    place = native.Place(file=file)
    if bundled is not None:
        place = native.Place(
            file=file,
            snapshot=bundled.digest,
            folder=bundled.folder,
            project_dir=str(bundled.project_dir),
        )
    return native.load(place, request.parameters, request.text_parameters)


async def load(api: "Api", request: FileRequest) -> Submission:
    """The submission, with all that it names uploaded.

    Raises InvalidDefinition and InvalidParameters, with file and line.
    """
    (submission,) = [each async for each in load_each(api, [request])]
    return submission


async def load_each(api: "Api", requests: Sequence[FileRequest]) -> AsyncIterator[Submission]:
    """The submissions of one file with several parameters, in order, all pinned to one bundle.

    Raises as `load` does, in the place of the first that is wrong.
    """
    path = requests[0].path
    if is_document(path):
        await to_thread.run_sync(read_document, requests[0])  # its mistakes are told first of all
    bundled = await to_thread.run_sync(bundle, path)
    await upload_bundle(api, bundled)
    load_one = _load_document if is_document(path) else _load_module
    for request in requests:
        yield await load_one(api, request, bundled)


async def _load_document(api: "Api", request: FileRequest, bundled: Bundle) -> Submission:
    loaded = await to_thread.run_sync(read_document, request, bundled)
    _check_scripts(loaded.pipeline, bundled)
    return Submission(
        pipeline=loaded.pipeline,
        parameters=loaded.parameters,
        priority=loaded.priority if request.priority is None else request.priority,
        fail_fast=loaded.fail_fast if request.fail_fast is None else request.fail_fast,
        labels=request.labels,
        source=bundled.source,
        secrets=loaded.secrets,
    )


def _check_scripts(pipeline: Pipeline, bundled: Bundle) -> None:
    """Raises InvalidDefinition for a script that is here, but does not go along."""
    tools = {tool.id: tool for tool in pipeline.tools}
    for step in pipeline.steps:
        tool = tools[step.tool_id]
        path = (PurePosixPath(tool.code.folder) / tool.code.entry).as_posix()
        if tool.kind == "script" and tool.code.entry and path not in bundled.files:
            why = bundled.left_out.get(path, "a rule of .gitignore or .treadleignore leaves it out")
            raise InvalidDefinition(
                f"the script {tool.code.entry} does not go along with the run: {why}.",
                where=step.where,
                hint=f"Put !{path} into .treadleignore.",
            )


async def _load_module(api: "Api", request: FileRequest, bundled: Bundle) -> Submission:
    told, secrets = await _told(api, request, bundled), {}
    if told["secrets"] is not None:
        recipient = Recipient()
        told = await _told(api, request, bundled, recipient.address)
        secrets = recipient.open(told["secrets"])
    blobs = {digest: base64.b64decode(text) for digest, text in told["blobs"].items()}
    await upload(api, blobs)
    return Submission(
        pipeline=from_wire(Pipeline, told["pipeline"]),
        parameters=told["parameters"],
        priority=told["priority"] if request.priority is None else request.priority,
        fail_fast=told["fail_fast"] if request.fail_fast is None else request.fail_fast,
        labels=request.labels,
        source=bundled.source,
        secrets=secrets,
    )


async def _told(
    api: "Api", request: FileRequest, bundled: Bundle, address: str = ""
) -> dict[str, Any]:
    """What the loader says in a slot. address: to seal secrets for."""
    arguments = _arguments(bundled, request, address)
    job = await api.call(_loader(bundled), arguments, priority=1_000_000)
    ended = (await _ended_or_aborted(api, job.id)).job
    if ended.failure is not None:
        raise _load_error(ended)
    if error := no_result(ended):
        raise error
    data, _, _ = await api.output(job.id, DEFAULT_OUTPUT)
    told: dict[str, Any] = msgspec.json.decode(data)
    return told


async def _ended_or_aborted(api: "Api", job_id: str) -> "JobDetail":
    """Wait for the loader's end; whoever cancels this frees its slot."""
    try:
        return await api.job_ended(job_id)
    except get_cancelled_exc_class():
        with CancelScope(shield=True), contextlib.suppress(TreadleError):  # it ends by itself
            await api.abort_job(job_id)
        raise


def _loader(bundled: Bundle) -> Tool:
    code = Code(
        kind="snapshot",
        digest=bundled.digest,
        entry=LOADER,
        project_dir=str(bundled.project_dir),
        folder=bundled.folder,
    )
    version = blake3(f"{code}".encode()).hexdigest()[:16]
    return Tool(
        id=f"load_pipeline@{version}",
        name="load_pipeline",
        version=version,
        code=code,
        description="Load a pipeline's file.",
        execution=Execution(cpus=1.0, timeout_seconds=TIMEOUT_SECONDS),
    )


def _arguments(bundled: Bundle, request: FileRequest, address: str) -> dict[str, Value]:
    return {
        "module": Value(bundled.module),
        "pipeline": Value(request.pipeline),
        "parameters": Value(dict(request.parameters)),
        "text_parameters": Value(dict(request.text_parameters)),
        "bundle": Value(
            {
                "digest": bundled.digest,
                "project_dir": str(bundled.project_dir),
                "folder": bundled.folder,
                "shown_dir": str(bundled.root / bundled.folder),
                "address": address,
            }
        ),
    }


def _load_error(job: Job) -> TreadleError:
    assert job.failure is not None
    if job.failure.type is FailureType.USER:
        return own_error(job.failure)
    return job_error(job.step, job.failure)
