"""How a running server is asked to stop, from another process."""

import os
import select
import signal
import socket
import struct
from collections.abc import Callable

from treadle.errors import Conflict, Unavailable
from treadle.server.ownership import Card, read_card
from treadle.server.settings import Settings
from treadle.server.signals import ASKING_AT_ONCE

_CREDENTIALS = struct.Struct("iII")  # pid, user, group: socket(7), SO_PEERCRED


def stop(settings: Settings, *, now: bool, on_wait: Callable[[Card], None]) -> Card:
    """Ask the server of the data directory to stop, and wait for its end; what its card said.

    now: its running jobs go back to the queue at once. Raises Unavailable if there is none,
    Conflict if the owner is no server.
    """
    card = read_card(settings.data_dir)
    pid = _listener(card) if card else None
    if card is None or pid is None:
        raise Unavailable(
            f"No server runs on the data directory {settings.data_dir}.",
            hint="`treadle up` starts one.",
        )
    if card.url is None:
        raise Conflict(
            f"The owner of {settings.data_dir} is no server, but a client (pid {pid}).",
            hint="It ends when what it runs has ended; Ctrl-C ends it before.",
        )
    _end(pid, now, lambda: on_wait(card))
    return card


def _listener(card: Card) -> int | None:
    """The pid of whoever listens at the card's socket: a card may be stale, and pids come again."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(card.socket)
            told = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return None
    pid: int = _CREDENTIALS.unpack(told)[0]
    return pid or None


def _end(pid: int, now: bool, on_wait: Callable[[], None]) -> None:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # it was faster
    try:
        signal.pidfd_send_signal(process, ASKING_AT_ONCE if now else signal.SIGTERM)
        on_wait()
        select.select([process], [], [])
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise Unavailable(
            f"Process {pid} belongs to another user.", hint="Ask as that user, or as root."
        ) from error
    finally:
        os.close(process)
