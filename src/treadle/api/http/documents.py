"""Pipeline files that are posted become submissions, read as the client reads them.

They are data: nothing in them is carried out here, and no file of this machine is looked at.
"""

import functools
import posixpath
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.requests import Request

from treadle.api.http.asked import query
from treadle.api.http.blobs import checked_digest
from treadle.api.http.operations import Query
from treadle.api.http.snapshot_files import TOP, files_of
from treadle.api.http.state import House, house_of
from treadle.errors import InvalidDefinition, InvalidRequest, NotFound
from treadle.model.graph import nearest
from treadle.model.inside import is_inside
from treadle.model.records import Submission
from treadle.model.wire import from_wire
from treadle.schemas.bodies import PipelineRun

if TYPE_CHECKING:
    from treadle.formats.native import Loaded
    from treadle.formats.reading import Parsed

PIPELINE_RUN = tuple(PipelineRun.__dataclass_fields__)
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
MOST_TOLD = 500  #: mistakes in one answer
AT_ONCE = 2  #: documents that are read
SHOWN = "document"  #: in messages
HOW = "{} under `parameters`, or ?param={}=..."
HINTS = {
    "": "A pipeline file as YAML is sent with Content-Type: application/yaml.",
    **dict.fromkeys(
        ("steps", "environment", "environments", "env"), 'A pipeline file goes under "document".'
    ),
}
OPTIONS = (
    Query(
        name="param",
        text="A parameter of the pipeline file, as NAME=VALUE; may be given several times.",
        several=True,
    ),
    Query(name="label", text="A label, as KEY=VALUE; may be given several times.", several=True),
    Query(name="snapshot", text="The snapshot with the files that the pipeline file names."),
    Query(name="folder", text="Where in the snapshot the pipeline file would lie."),
)
_LIMITER: RunVar[CapacityLimiter] = RunVar("documents")


def is_yaml(request: Request) -> bool:
    """Whether the body says that it is YAML."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() in YAML_TYPES


def refuse_options(request: Request) -> None:
    """Raises InvalidRequest if something is asked that only goes with a pipeline file."""
    values = query(request)
    for each in OPTIONS:
        if values[each.name]:
            raise InvalidRequest(f"?{each.name}= goes with a pipeline file.", hint=HINTS["steps"])


async def of_yaml(request: Request) -> Submission:
    """The whole body is the file; all else is in the query. Raises as `of_object`."""
    asked = _with_options(PipelineRun(document={}), query(request))
    return await _submission(request, asked, is_json=False)


async def of_object(request: Request, body: dict[str, Any]) -> Submission:
    """body: with the file under `document`.

    Raises InvalidDefinition that lists all that is wrong with the file, InvalidParameters,
    InvalidRequest, NotFound for the snapshot, TooLarge.
    """
    for key in body:
        if key not in PIPELINE_RUN:
            raise InvalidRequest(f"{key} does not go with `document`.")
    asked = _with_options(from_wire(PipelineRun, body, "body"), query(request))
    return await _submission(request, asked, is_json=True)


def _with_options(asked: PipelineRun, values: Mapping[str, Any]) -> PipelineRun:
    """The query goes where the body is silent."""
    snapshot, folder = asked.snapshot or values["snapshot"], asked.folder or values["folder"]
    return PipelineRun(
        document=asked.document,
        parameters=asked.parameters,
        priority=asked.priority,
        fail_fast=asked.fail_fast,
        labels={**_pairs("label", values["label"]), **asked.labels},
        snapshot=snapshot,
        folder=posixpath.normpath(folder) if folder else "",
        secrets=asked.secrets,
    )


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InvalidRequest(f"{option}={text[:80]!r}: expected NAME=VALUE.")
        if name in found:
            raise InvalidRequest(f"{option}: {name[:80]!r} is given twice.")
        found[name] = value
    return found


async def _submission(request: Request, asked: PipelineRun, *, is_json: bool) -> Submission:
    house, data = house_of(request), await request.body()
    if asked.folder and (asked.snapshot is None or not is_inside(asked.folder)):
        raise InvalidRequest("folder: expected a folder in the snapshot.")
    if asked.snapshot is not None:
        await _renew(house, checked_digest(asked.snapshot))
    texts = _pairs("param", query(request)["param"])
    read = functools.partial(_loaded, house, asked, data, texts, is_json=is_json)
    loaded = await to_thread.run_sync(read, limiter=_limiter())
    return Submission(
        pipeline=loaded.pipeline,
        parameters=loaded.parameters,
        priority=loaded.priority if asked.priority is None else asked.priority,
        fail_fast=loaded.fail_fast if asked.fail_fast is None else asked.fail_fast,
        labels=asked.labels,
        secrets=loaded.secrets,
    )


def _limiter() -> CapacityLimiter:
    """Of this loop. A document may be long, and others need threads too."""
    try:
        return _LIMITER.get()
    except LookupError:
        _LIMITER.set(limiter := CapacityLimiter(AT_ONCE))
        return limiter


async def _renew(house: House, digest: str) -> None:
    """Raises NotFound unless the snapshot is here; it stays for an hour."""
    at = house.clock.now()
    known = await house.ledger.write(lambda books: books.renew_snapshot(digest, at))
    if not known or not await to_thread.run_sync(house.blobs.has, digest):
        raise NotFound(
            f"There is no snapshot {digest}.", hint="Post it first: POST /api/v1/snapshots."
        )


def _loaded(
    house: House, asked: PipelineRun, data: bytes, texts: Mapping[str, str], *, is_json: bool
) -> "Loaded":
    # Not all servers are sent such files, and all are to start at once.
    from treadle.formats import native  # noqa: PLC0415
    from treadle.formats.reading import decoded, parse_text  # noqa: PLC0415

    manifest = None if asked.snapshot is None else house.blobs.open(asked.snapshot)
    files = files_of(house.blobs, manifest)
    if not files.is_dir(TOP / asked.folder):
        hint = nearest(asked.folder, files.folders)
        raise InvalidRequest(f"The snapshot has no folder {asked.folder!r}.", hint=hint)
    place = native.Place(
        file=TOP / asked.folder / "pipeline.yaml",
        snapshot=asked.snapshot or "",
        folder=asked.folder,
        files=files,
        root=TOP,
        variables=asked.secrets,
        how=HOW,
    )
    try:
        parsed = parse_text(decoded(data, SHOWN), SHOWN, as_json=is_json)
        if is_json:
            parsed = _document_in(parsed)
        return native.load_parsed(place, parsed, asked.parameters, texts)
    except InvalidDefinition as error:
        _shorten(error)
        raise


def _document_in(body: "Parsed") -> "Parsed":
    """The part of the body that is the file; its places are those in the body."""
    body.problems.places = body.problems.places["document"][1]
    return replace(body, value=body.value["document"])


def _shorten(error: InvalidDefinition) -> None:
    """What is long is not all told."""
    problems = error.details.get("problems")
    if problems:
        error.details = {"problems": problems[:MOST_TOLD], "count": len(problems)}
