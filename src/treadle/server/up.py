"""A server's life: open the house, tell that it is ready, work until it is told to stop."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from treadle.server.build import OpenHouse, open_house
from treadle.server.doors import Door, open_to_others, public_door
from treadle.server.log_writing import logging_to_stderr
from treadle.server.owner_token import FILE as TOKEN_FILE
from treadle.server.ownership import OwnerLock, prepare_data_dir
from treadle.server.settings import Settings
from treadle.server.stopping import Asked, wind_down

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
        anyio.run(_live, settings, lock, door, on_ready, backend_options={"use_uvloop": True})


async def _live(
    settings: Settings, lock: OwnerLock, door: Door, on_ready: Callable[[Address], None]
) -> None:
    asked = Asked()
    asked.listen()
    async with open_house(settings, lock, door) as house:
        on_ready(_address(settings, house))
        await asked.to_stop.wait()
        await wind_down(house, settings.stop_grace.total_seconds(), asked, log.warning)


def _address(settings: Settings, house: OpenHouse) -> Address:
    return Address(
        url=house.life.url or "",
        token_file=settings.data_dir / TOKEN_FILE,
        data_dir=settings.data_dir,
        pid=os.getpid(),
        slots=house.scheduler.engine.capacity().slots,
    )
