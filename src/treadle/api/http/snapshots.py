"""Bundles of code, put together from blobs that are there already."""

import json
from pathlib import PurePosixPath
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import json_body
from treadle.api.http.blobs import checked_digest, missing_of
from treadle.api.http.encode import json_response
from treadle.api.http.state import house_of, scheduler_of
from treadle.errors import InvalidRequest


async def post_snapshot(request: Request) -> Response:
    """POST /snapshots {"files": {path: [digest, size, mode]}}: 201 {"digest", "missing"}.

    Missing blobs are to be put, then the same is posted again; until then nothing is kept.
    """
    scheduler_of(request)
    files = _checked_files((await json_body(request, ("files",))).get("files"))
    house = house_of(request)
    digests = [entry[0] for entry in files.values()]
    missing = await missing_of(request, digests)
    if missing:
        return json_response({"digest": None, "missing": missing}, 201)
    manifest = json.dumps({"files": files}, sort_keys=True, separators=(",", ":")).encode()
    digest, _ = await to_thread.run_sync(house.blobs.put, [manifest])
    at = house.clock.now()
    await house.ledger.write(lambda books: books.add_snapshot(digest, [*digests, digest], at))
    return json_response({"digest": digest, "missing": []}, 201)


def _checked_files(files: Any) -> dict[str, list[Any]]:
    if not isinstance(files, dict):
        raise InvalidRequest("files: expected an object of paths.")
    for path, entry in files.items():
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\0" in path:
            raise InvalidRequest(f"files: {path!r} leads out of the bundle.")
        match entry:
            case [str(digest), int(size), int(mode)] if size >= 0 and 0 <= mode <= 0o777:
                checked_digest(digest)
            case _:
                raise InvalidRequest(f"files: {path!r}: expected [digest, size, mode].")
    return files
