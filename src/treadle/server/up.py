"""A server's life: open the house, tell that it is ready, work until it is told to stop."""

import logging
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from treadle.errors import InternalError
from treadle.server.build import OpenHouse, open_house
from treadle.server.doors import Door, open_to_others, public_door
from treadle.server.link import as_ours
from treadle.server.log_writing import logging_to_stderr
from treadle.server.notify import Notifier
from treadle.server.owner_token import FILE as TOKEN_FILE
from treadle.server.ownership import OwnerLock, prepare_data_dir
from treadle.server.settings import Settings
from treadle.server.signals import Asked
from treadle.server.stopping import wind_down

MOST_OPEN_FILES = 65536  #: each connection is one, and thousands may follow runs
log = logging.getLogger("treadle.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server that is ready is found, and with what."""

    url: str
    token_file: Path
    data_dir: Path
    pid: int
    slots: int


def serve(settings: Settings, *, on_ready: Callable[[Address], None]) -> None:
    """Be the server of the data directory until a signal says stop.

    Raises OwnedElsewhere, Unavailable, InvalidRequest where it cannot begin.
    """
    _allow_many_connections()
    prepare_data_dir(settings.data_dir)
    lock = OwnerLock(settings.data_dir)
    try:
        door = public_door(settings)
    except BaseException:
        lock.release()
        raise
    settings = replace(settings, log_level=settings.log_level or "info")
    with logging_to_stderr(settings.log_level, settings.log_format):
        if open_to_others(door) and door.tls is None:
            log.warning("%s is open to others without TLS: tokens travel unprotected", door.url)
        life = Life(settings=settings, lock=lock, door=door, on_ready=on_ready)
        try:
            anyio.run(life.live, backend_options={"use_uvloop": True})
        except Exception as error:
            ours = as_ours(error)
            if isinstance(ours, InternalError):
                log.critical("the server had to stop", exc_info=error)
            raise ours from error


def _allow_many_connections() -> None:
    """Raise the limit of open files, as far as this process may; it is often 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What happens between a server's start and its end."""

    settings: Settings
    lock: OwnerLock
    door: Door
    on_ready: Callable[[Address], None]
    notifier: Notifier = field(default_factory=lambda: Notifier(os.environ))

    async def live(self) -> None:
        asked = Asked()
        asked.listen()
        async with open_house(self.settings, self.lock, self.door) as house:
            async with anyio.create_task_group() as tasks:
                address = self._address(house)
                self.on_ready(address)
                log.info("serving %s at %s", address.data_dir, address.url)
                self.notifier.tell("READY=1", f"STATUS=serves {address.url}")
                tasks.start_soon(self.notifier.watch, name="watchdog")
                await asked.to_stop.wait()
                self.notifier.tell("STOPPING=1", "STATUS=lets running jobs finish")
                grace = self.settings.stop_grace.total_seconds()
                await wind_down(house, grace, asked, log.warning)
                tasks.cancel_scope.cancel()
        log.info("stopped")

    def _address(self, house: OpenHouse) -> Address:
        return Address(
            url=self.door.url,
            token_file=self.settings.data_dir / TOKEN_FILE,
            data_dir=self.settings.data_dir,
            pid=os.getpid(),
            slots=house.scheduler.engine.capacity().slots,
        )
