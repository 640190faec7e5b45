"""Tokens that this user was given, by the address of the server they are for.

They are in `~/.config/treadle/credentials.json` (or below XDG_CONFIG_HOME), which only the user may
read. TREADLE_TOKEN comes before what is there.
"""

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from treadle.client.address import checked_url
from treadle.errors import InvalidRequest, Unavailable

TOKEN_VARIABLE = "TREADLE_TOKEN"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def credentials_file(environ: Mapping[str, str] | None = None) -> Path:
    """Where they are."""
    variables = os.environ if environ is None else environ
    home = variables.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(home) / "treadle" / "credentials.json"


def token_for(url: str) -> str | None:
    """The token to use there: TREADLE_TOKEN, or what was remembered; None if there is none.

    Raises InvalidRequest if others can read the file, or it is damaged.
    """
    return os.environ.get(TOKEN_VARIABLE, "").strip() or _read().get(checked_url(url))


def remember(url: str, token: str) -> Path:
    """Keep the token for this address, in the place of an earlier one; the file it is in."""
    if not token.strip().isprintable() or not token.strip():
        raise InvalidRequest("This is no token.", hint="It looks like trd_..., on one line.")
    return _write(_read() | {checked_url(url): token.strip()})


def forget(url: str) -> bool:
    """Whether there was a token for this address."""
    known = _read()
    found = known.pop(checked_url(url), None) is not None
    if found:
        _write(known)
    return found


def _read() -> dict[str, str]:
    path = credentials_file()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, error) from error
    if mode & OTHERS:
        raise InvalidRequest(
            f"Others on this machine can read the tokens in {path}.", hint=f"chmod 600 {path}"
        )
    with contextlib.suppress(ValueError, AttributeError):
        return {str(url): str(token) for url, token in json.loads(text).items()}
    raise InvalidRequest(
        f"{path} is damaged.", hint="Delete it, and `treadle login URL` makes it anew."
    )


def _write(tokens: Mapping[str, str]) -> Path:
    """A new file in its place, whole or not at all."""
    path = credentials_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, passing = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(tokens, file, indent=2)
        os.replace(passing, path)
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{path} cannot be used: {error.strerror or error}.")
