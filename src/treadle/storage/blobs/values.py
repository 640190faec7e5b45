"""Values into and out of a blob store: by the codec that fits, inline in the Ref when small."""

from pathlib import Path
from typing import Any

from blake3 import blake3

from treadle import codecs
from treadle.errors import DamagedBlob
from treadle.interfaces import BlobStore
from treadle.model.refs import INLINE_LIMIT_BYTES, Ref


def store_value(blobs: BlobStore, value: Any) -> Ref:
    """Encode and keep the value. Raises CodecError, StorageFull, Unavailable."""
    return store_encoded(blobs, codecs.encode(value))


def store_encoded(blobs: BlobStore, encoded: codecs.Encoded) -> Ref:
    """Keep what a codec has made. Raises StorageFull, Unavailable."""
    inline = None
    if encoded.size_bytes <= INLINE_LIMIT_BYTES:
        inline = encoded.to_bytes()
        digest, size_bytes = blake3(inline).hexdigest(), len(inline)
    else:
        digest, size_bytes = blobs.put(encoded.parts)
    return Ref(
        digest=digest,
        size_bytes=size_bytes,
        media_type=encoded.media_type,
        codec=encoded.codec,
        inline=inline,
    )


def load_value(blobs: BlobStore, ref: Ref, directory: Path | None = None) -> Any:
    """The value that was stored, exactly; large arrays lie on the store's own mapping.

    directory: where files and directories are put. Raises MissingBlob, DamagedBlob, CodecError.
    """
    return codecs.decode(ref.codec, open_ref(blobs, ref), directory=directory)


def open_ref(blobs: BlobStore, ref: Ref) -> memoryview:
    """The bytes a Ref stands for. Raises DamagedBlob where their number is wrong, too."""
    if ref.inline is not None:
        return memoryview(ref.inline)
    data = blobs.open(ref.digest)
    if len(data) != ref.size_bytes:
        raise DamagedBlob(
            f"the blob {ref.digest} is damaged: it has {len(data)} bytes, "
            f"not {ref.size_bytes} as when it was stored.",
            hint="Delete it and run again what made it; then check the disk.",
            digest=ref.digest,
        )
    return data
