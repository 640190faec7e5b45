"""What a submission names is uploaded first; only what is not there yet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from treadle.errors import Conflict

if TYPE_CHECKING:
    from treadle.authoring.bundles import Bundle
    from treadle.client.api import Api


async def upload(api: "Api", blobs: Mapping[str, bytes]) -> None:
    """Put the blobs that are missing."""
    if not blobs:
        return
    for digest in await api.missing_blobs(list(blobs)):
        await api.put_blob(digest, blobs[digest])


async def upload_bundle(api: "Api", bundle: "Bundle") -> None:
    """Put the bundle's missing files, then its manifest.

    Raises Conflict if a file was edited in the meantime.
    """
    files = {f.digest: f for f in bundle.files.values()}
    entries = {name: [f.digest, f.size_bytes, f.mode] for name, f in bundle.files.items()}
    _, missing = await api.put_snapshot(entries)
    if not missing:
        return
    for digest in missing:
        await api.put_blob(digest, files[digest].path.read_bytes())
    _, missing = await api.put_snapshot(entries)
    if missing:
        raise Conflict(
            f"{files[missing[0]].path} changed while it was uploaded.", hint="Run it again."
        )
