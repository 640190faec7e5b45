"""What systemd is told of a service's life (man sd_notify), where it asks for it."""

import asyncio
import contextlib
import os
import socket
from collections.abc import MutableMapping


class Notifier:
    """Tells whoever listens at NOTIFY_SOCKET; nobody, where there is none."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Takes what systemd put into the environment out of it: it is not for our children."""
        self._address = environ.pop("NOTIFY_SOCKET", "")
        mine = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        given = environ.pop("WATCHDOG_USEC", "")
        self._watchdog_seconds = int(given) / 1e6 if mine and given.isdecimal() else 0.0

    def tell(self, *lines: str) -> None:
        """Such as READY=1. One that cannot be told is not worth a failure."""
        if self._address[:1] not in ("/", "@"):
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller,
            contextlib.suppress(OSError),
        ):
            teller.setblocking(False)
            teller.sendto("\n".join(lines).encode(), address)

    async def watch(self) -> None:
        """Say now and then that the loop goes round, as long as this runs."""
        while self._watchdog_seconds:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_seconds / 3)
