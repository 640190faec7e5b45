"""`treadle up` and `treadle down`: be the server of a data directory, and end it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli import printing
from treadle.cli.options import DataDir, Json, Slots
from treadle.server.settings import load

if TYPE_CHECKING:
    from treadle.server.ownership import Card
    from treadle.server.up import Address


def up(  # noqa: PLR0913 - one for each option of the command
    host: Annotated[
        str | None,
        typer.Option(
            envvar="TREADLE_HOST",
            metavar="HOST",
            help="Address to listen at.",
            show_default="127.0.0.1, for this machine alone",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            envvar="TREADLE_PORT",
            metavar="PORT",
            help="Port; 0 for any that is free.",
            show_default="8470",
        ),
    ] = None,
    data_dir: DataDir = None,
    slots: Slots = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            envvar="TREADLE_TLS_CERTIFICATE",
            metavar="FILE",
            help="Certificate and its chain, in PEM.",
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(
            envvar="TREADLE_TLS_KEY", metavar="FILE", help="Key of the certificate, in PEM."
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", envvar="TREADLE_INSECURE", help="Let others in without TLS."),
    ] = False,
    stop_grace: Annotated[
        str | None,
        typer.Option(
            envvar="TREADLE_STOP_GRACE",
            metavar="TIME",
            help="How long running jobs may go on after a signal.",
            show_default="10s",
        ),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            envvar="TREADLE_LOG_FORMAT", metavar="lines|json", help="How the log is written."
        ),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            envvar="TREADLE_LOG_LEVEL",
            metavar="debug|info|warning|error",
            help="What the log holds.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Serve a data directory to everybody who has a token, until Ctrl-C or `treadle down`."""
    from treadle.server.up import serve  # noqa: PLC0415 - 0.2 s; help needs none of it

    settings = load(
        host=host,
        port=port,
        data_dir=data_dir,
        slots=slots,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        insecure=insecure or None,
        stop_grace=stop_grace,
        log_format=log_format,
        log_level=log_level,
    )

    def say(address: "Address") -> None:
        try:
            # where a program reads the log, it reads these lines too
            _say_json(address) if as_json or settings.log_format == "json" else _say(address)
        except OSError:  # whoever started it does not listen; it serves all the same
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    serve(settings, on_ready=say)


def _say(address: "Address") -> None:
    printing.say(f"Treadle serves {address.data_dir}")
    printing.say(f"  url    {address.url}")
    printing.say(f"  token  {address.token_file}  (the owner's)")
    printing.say(f"  slots  {address.slots}")
    printing.say(f"  stop   Ctrl-C, or treadle down (pid {address.pid})")


def _say_json(address: "Address") -> None:
    printing.say_json(
        {
            "url": address.url,
            "token_file": str(address.token_file),
            "data_dir": str(address.data_dir),
            "pid": address.pid,
            "slots": address.slots,
        },
        line=True,
    )


def down(
    now: Annotated[
        bool, typer.Option("--now", help="Hand running jobs back to the queue at once.")
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Ask the server of a data directory to stop, and wait until it has."""
    from treadle.server.down import stop  # noqa: PLC0415 - as above

    def tell(card: "Card") -> None:
        if not as_json:
            printing.tell(f"stopping {card.url} (pid {card.pid})")

    card = stop(load(data_dir=data_dir), now=now, on_wait=tell)
    if as_json:
        printing.say_json({"stopped": {"pid": card.pid, "url": card.url}})
    else:
        printing.say(f"{card.url}  stopped")
