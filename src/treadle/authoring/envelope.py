"""Secrets that a pipeline's file holds, on their way from the slot that loads it to the client.

A job's arguments and results are kept in the ledger, so the client sends a public key along, and
the slot answers in an envelope that only the client can open: X25519 (RFC 7748) with an ephemeral
key, HKDF-SHA256 (RFC 5869), Fernet.
"""

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Recipient:
    """Who opens the envelope. `address`: the public key, as text."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import x25519  # noqa: PLC0415 - 30 ms

        self._key = x25519.X25519PrivateKey.generate()
        self.address = _text(self._key.public_key().public_bytes_raw())

    def open(self, envelope: Mapping[str, str]) -> dict[str, str]:
        """The secrets by key."""
        from cryptography.hazmat.primitives.asymmetric import x25519  # noqa: PLC0415 - see above

        sender = x25519.X25519PublicKey.from_public_bytes(_bytes(envelope["sender"]))
        opened = _fernet(self._key.exchange(sender)).decrypt(envelope["sealed"])
        found: dict[str, str] = json.loads(opened)
        return found


def sealed_for(address: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """The secrets in an envelope: {"sender": public key, "sealed": token}."""
    from cryptography.hazmat.primitives.asymmetric import x25519  # noqa: PLC0415 - see above

    key = x25519.X25519PrivateKey.generate()
    recipient = x25519.X25519PublicKey.from_public_bytes(_bytes(address))
    token = _fernet(key.exchange(recipient)).encrypt(json.dumps(dict(secrets)).encode())
    return {"sender": _text(key.public_key().public_bytes_raw()), "sealed": token.decode()}


def _fernet(shared: bytes) -> "Fernet":
    from cryptography.fernet import Fernet  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"treadle envelope")
    return Fernet(base64.urlsafe_b64encode(derived.derive(shared)))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
