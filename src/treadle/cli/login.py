"""`treadle login` and `logout`: keep a token for a server, and forget it."""

import getpass
import sys
from typing import Annotated, Any

import typer

from treadle.cli import printing
from treadle.cli.options import Json
from treadle.errors import InvalidRequest, NotFound

STDIN = "-"
Url = Annotated[
    str, typer.Argument(metavar="URL", help="Address of the server, such as https://box:8470.")
]


def login(
    url: Url,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="-",
            help="With -, read the token from standard input.",
            show_default="ask for it",
            show_envvar=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep your token for a server, once the server has accepted it.

    From then on `--server URL` needs no token. It is kept in a file that only you can read.
    """
    from treadle.client import credentials  # noqa: PLC0415 - help needs none of it
    from treadle.client.address import checked_url  # noqa: PLC0415 - as above

    base = checked_url(url)
    text = _given(token, base)
    told = _checked(base, text)
    file = credentials.remember(base, text)
    if as_json:
        printing.say_json({"url": base, "file": str(file), "version": told.get("version")})
        return
    printing.say(f"Logged in to {base} as {told['caller']['user']}; the token is kept in {file}.")
    printing.say(f"  treadle ps --server {base}")
    printing.say(f'  export TREADLE_SERVER={base}   # or server = "{base}" in treadle.toml')


def _given(token: str | None, url: str) -> str:
    """The token's text. Raises InvalidRequest where there is no way to ask, or it stands open."""
    if token is None and sys.stdin.isatty():
        text = _asked(f"Token for {url}: ")
    elif token in (None, STDIN):
        if token is None:
            raise InvalidRequest(
                "There is no terminal to ask for the token.",
                hint=f"Give it on standard input: treadle login {url} --token - < FILE",
            )
        text = sys.stdin.readline()
    else:
        raise InvalidRequest(
            "A token on the command line can be seen by everybody on this machine.",
            hint="Leave --token out and type it, or pipe it in with --token -.",
        )
    if not text.strip():
        raise InvalidRequest("No token was given.", hint="It looks like trd_..., on one line.")
    return text.strip()


def _asked(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        return ""


def _checked(url: str, token: str) -> dict[str, Any]:
    """What the server says of itself to the token. Raises Unauthorized, Unavailable."""
    from treadle.server.connecting import connect  # noqa: PLC0415 - as in login

    with connect(url, token) as client:
        return client.health()


def logout(url: Url, as_json: Json = False) -> None:
    """Forget the token for a server; the token holds until it is revoked."""
    from treadle.client import credentials  # noqa: PLC0415 - as in login
    from treadle.client.address import checked_url  # noqa: PLC0415 - as in login

    base = checked_url(url)
    if not credentials.forget(base):
        raise NotFound(f"There is no token for {base}.", hint="`treadle login URL` keeps one.")
    if as_json:
        printing.say_json({"url": base})
    else:
        printing.say(f"The token for {base} is forgotten here.")
