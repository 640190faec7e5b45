"""`treadle token create`, `list` and `revoke`: who may use a server."""

import contextlib
from datetime import datetime
from typing import Annotated, Any

import typer

from treadle.cli import printing
from treadle.cli.options import Json
from treadle.cli.where import Where, spelt_out
from treadle.errors import InvalidRequest, NotFound
from treadle.model.access import Token, checked_scopes
from treadle.model.quantities import duration

app = typer.Typer(help="Make, list and revoke tokens: who may use a server.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="What the token is called.")]


def create(
    where: Where,
    name: Name,
    scope: Annotated[
        list[str],
        typer.Option(
            metavar="SCOPE",
            help="What it may do: read, data, run or admin, each with all before it; or "
            "call:TOOL, where TOOL may end in *. Give it several times for several.",
        ),
    ],
    user: Annotated[
        str | None,
        typer.Option(help="Whose runs are begun with it.", show_default="the token's name"),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="For how long it holds, as 12h or 30d.", show_default="ever"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token and print its text, which nobody can have again."""
    wanted: dict[str, Any] = {"name": name, "scopes": list(checked_scopes(scope))}
    if user is not None:
        wanted["user"] = user
    if expires is not None:
        wanted["expires_in_seconds"] = _seconds(expires)
    with where.opened(start=True) as door:
        token, text = door.create_token(wanted)
    if as_json:
        printing.say_json({"token": token, "text": text})
        return
    until = f", until {token.expires_at.astimezone():%Y-%m-%d %H:%M}" if token.expires_at else ""
    printing.tell(
        f"The token {token.name!r} is made, for {token.user!r}: {', '.join(token.scopes)}{until}. "
        "Keep its text, it is shown only now; who is to use it sets TREADLE_TOKEN."
    )
    printing.say(text)


def _seconds(text: str) -> float:
    if text.strip().isdecimal():
        raise InvalidRequest(f"--expires {text}: without a unit.", hint=f"Days are {text}d.")
    try:
        return duration(text).total_seconds()
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"--expires {text}: {error}.") from None


def list_tokens(
    where: Where,
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Revoked ones and those that are over, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the tokens that hold, oldest first."""
    found: list[Token] = []
    with (
        contextlib.suppress(NotFound),  # a data directory that is not there yet
        where.opened(start=False) as door,
    ):
        found = door.tokens()
    now = datetime.now().astimezone()
    shown = [each for each in found if every or _state(each, now) == "holds"]
    if as_json:
        printing.say_json({"tokens": shown})
    elif shown:
        headings = ("name", "user", "scopes", "made", "used", "until", "")
        printing.table(headings, [_row(each, now) for each in shown])
    else:
        printing.tell("No tokens: treadle token create NAME --scope run")


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now else "holds"


def _row(token: Token, now: datetime) -> tuple[Any, ...]:
    state = _state(token, now)
    return (
        (token.name, "bold"),
        token.user,
        " ".join(token.scopes),
        printing.ago(token.created_at),
        printing.ago(token.used_at) if token.used_at else "never",
        f"{token.expires_at.astimezone():%Y-%m-%d %H:%M}" if token.expires_at else "",
        ("" if state == "holds" else state, "red"),
    )


def revoke(
    where: Where,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A token's name, or its id.")],
    as_json: Json = False,
) -> None:
    """Revoke a token: from now on it opens nothing."""
    with where.opened(start=True) as door:
        door.revoke_token(name)
    if as_json:
        printing.say_json({"revoked": name})
    else:
        printing.say(f"{name}  revoked")


app.command("create")(spelt_out(create))
app.command("list")(spelt_out(list_tokens))
app.command("revoke")(spelt_out(revoke))
