"""Bundles of code, put together from blobs that are there already."""

import json
from collections.abc import Iterable
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from treadle.api.http.asked import json_body
from treadle.api.http.blobs import checked_digest, missing_of
from treadle.api.http.encode import json_response
from treadle.api.http.state import house_of, scheduler_of
from treadle.errors import InvalidRequest
from treadle.model.inside import is_inside
from treadle.model.limits import LARGEST


async def renew_snapshot(request: Request) -> Response:
    """Whether a snapshot is here with all its files; if so, it stays for an hour."""
    scheduler_of(request)
    house, digest = house_of(request), checked_digest(request.path_params["digest"])
    at = house.clock.now()
    known = await house.ledger.write(lambda books: books.renew_snapshot(digest, at))
    known = known and await to_thread.run_sync(house.blobs.has, digest)
    return json_response({"known": known})


async def post_snapshot(request: Request) -> Response:
    """Keep a snapshot of a project. files: path -> [digest, size, mode]; links: path -> [absolute
    path, size, mtime in ns].

    Missing blobs are to be put, then the same is posted again; until then nothing is kept.
    """
    scheduler_of(request)
    body = await json_body(request, ("files", "links"))
    files, links = _checked_files(body.get("files")), _checked_links(body.get("links", {}))
    _check_places([*files, *links])
    told = {"files": files, "links": links} if links else {"files": files}
    house = house_of(request)
    digests = [entry[0] for entry in files.values()]
    missing = await missing_of(request, digests)
    if missing:
        return json_response({"digest": None, "missing": missing}, 201)
    manifest = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    digest, _ = await to_thread.run_sync(house.blobs.put, [manifest])
    at = house.clock.now()
    await house.ledger.write(lambda books: books.add_snapshot(digest, [*digests, digest], at))
    return json_response({"digest": digest, "missing": []}, 201)


def _checked_files(files: Any) -> dict[str, list[Any]]:
    if not isinstance(files, dict):
        raise InvalidRequest("files: expected an object of paths.")
    for path, entry in files.items():
        _check_path(path, "files")
        match entry:
            case [str(digest), size, mode] if _whole(size, LARGEST) and _whole(mode, 0o777):
                checked_digest(digest)
            case _:
                raise InvalidRequest(f"files: {path!r}: expected [digest, size, mode].")
    return files


def _checked_links(links: Any) -> dict[str, list[Any]]:
    if not isinstance(links, dict):
        raise InvalidRequest("links: expected an object of paths.")
    for path, entry in links.items():
        _check_path(path, "links")
        match entry:
            case [str(target), size, int(mtime)] if (
                target.startswith("/") and _whole(size, LARGEST) and abs(mtime) <= LARGEST
            ):
                pass
            case _:
                raise InvalidRequest(f"links: {path!r}: expected [absolute path, size, mtime].")
    return links


def _whole(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _check_path(path: str, where: str) -> None:
    if not is_inside(path):
        raise InvalidRequest(f"{where}: {path!r} leads out of the bundle.")
    if not {"", "."}.isdisjoint(path.split("/")):
        raise InvalidRequest(f"{where}: {path!r}: expected names with one / between them.")


def _check_places(paths: Iterable[str]) -> None:
    taken: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        if path in taken:
            raise InvalidRequest(f"{path!r} is a file and a link.")
        taken.add(path)
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    if both := taken & folders:
        raise InvalidRequest(f"{min(both)!r} is a file and a folder.")
