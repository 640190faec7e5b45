"""A client's link to a data directory: one thread, one event loop, and in it one of three roles."""

import concurrent.futures
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from treadle.client.backoff import Backoff
from treadle.client.connected import Connected
from treadle.client.link import closed
from treadle.engine.local.process_tree import MARK_VARIABLE
from treadle.errors import InternalError, OwnedElsewhere, TreadleError, Unavailable
from treadle.model.records import Run
from treadle.server.ownership import OwnerLock, answering, mark_of, read_card
from treadle.server.settings import Settings

if TYPE_CHECKING:
    import httpx

    from treadle.server.build import OpenHouse

STARTING_SECONDS = 30.0  #: how long an owner may take until it answers
LOOK_AGAIN_SECONDS = 0.01
ASK_SECONDS = 0.1  #: between two questions to whoever may give up waiting
log = logging.getLogger("treadle")


class Embedded(Connected):
    """A client's link to a data directory: its owner, joined to its owner, or a reader.

    Implements `treadle.client.link.Link`. Everything of it lives in one thread's event loop.
    """

    def __init__(self, settings: Settings, *, fast_loop: bool = False) -> None:
        self.settings = settings
        self.house: OpenHouse | None = None
        self._read_only = False
        self._lock: OwnerLock | None = None
        self._falling = False  # our own house breaks down
        self._failure: BaseException | None = None  # why
        super().__init__(fast_loop=fast_loop)

    @property
    def read_only(self) -> bool:
        return self._read_only

    @property
    def is_owner(self) -> bool:
        return self.house is not None

    @property
    def inside_a_job(self) -> bool:
        return os.environ.get(MARK_VARIABLE) == mark_of(self.settings.data_dir)

    def __repr__(self) -> str:
        role = "owner of" if self.is_owner else "reader of" if self._read_only else "joined to"
        return f"{role} {self.settings.data_dir}"

    @property
    def peer(self) -> str:
        return f"The owner of the data directory {self.settings.data_dir}"

    @property
    def advice(self) -> str:
        return "Is its process stopped? `treadle doctor` names it."

    # roles

    async def own(self, lock: OwnerLock) -> None:
        """Build the house and live in it."""
        self._lock, self._fallen = lock, anyio.Event()
        self.house = await self._rooms.start(self._live_in, lock, name="house")
        await self._call_at(self.house.socket.path)

    async def _live_in(
        self, lock: OwnerLock, *, task_status: anyio.abc.TaskStatus["OpenHouse"]
    ) -> None:
        from treadle.server.build import open_house  # noqa: PLC0415 - joining needs none of it

        settled = False
        try:
            async with open_house(self.settings, lock) as house:
                settled = True
                task_status.started(house)
                try:
                    await self._closing.wait()
                finally:
                    self._falling = not self._closing.is_set()
        except Exception as error:
            if not settled:
                raise
            self._failure = error
            log.exception("the owner of %s had to stop", self.settings.data_dir)
        finally:
            lock.release()
            self.house = None
            self._fallen.set()

    async def join(self, socket: Path) -> None:
        """Talk to the owner that answers there."""
        await self._call_at(socket)

    async def read(self) -> None:
        """Open what nobody owns, for reading."""
        self._read_only = True
        app = await self._rooms.start(self._keep_reading, name="reader")
        import httpx  # noqa: PLC0415 - 70 ms

        await self._use(httpx.ASGITransport(app))

    async def _keep_reading(self, *, task_status: anyio.abc.TaskStatus[Any]) -> None:
        from treadle.server.build import open_for_reading  # noqa: PLC0415 - as in _live_in

        async with open_for_reading(self.settings) as app:
            task_status.started(app)
            await self._closing.wait()

    # Link

    async def restore(self, broken: "httpx.AsyncClient", why: Exception) -> None:
        async with self._restoring:
            if self._http is not broken:
                return  # somebody else did it
            if self._closed or self._read_only:
                raise closed()
            if self._falling:
                await self._fallen.wait()
                raise as_ours(self._failure or InternalError("The owner had to stop."))
            card = read_card(self.settings.data_dir)
            if card is not None and card.url:
                await self._wait_for_server(card.url)
            else:
                await self._find_or_take_over()

    async def _wait_for_server(self, url: str) -> None:
        """A server is meant to stay one: whoever had joined it waits until it is back."""
        backoff = Backoff(self.patience_seconds)
        told = False
        while (socket := answering(self.settings.data_dir)) is None:
            if not told:
                self.on_notice(f"The server at {url} went away; waiting for it.")
            told = True
            if not await backoff.pause():
                raise Unavailable(
                    f"The server at {url} went away and did not come back.",
                    hint="Start it again: treadle up.",
                )
        if told:
            self.on_notice(f"The server at {url} is back.")
        await self.join(socket)

    async def _find_or_take_over(self) -> None:
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            if socket := answering(self.settings.data_dir):
                return await self.join(socket)
            try:
                lock = OwnerLock(self.settings.data_dir)
            except OwnedElsewhere:
                if time.monotonic() > deadline:
                    raise
                await anyio.sleep(LOOK_AGAIN_SECONDS)
                continue
            self.on_notice("The owner of the data directory went away; this process takes over.")
            return await self.own(lock)

    async def _call_at(self, socket: Path) -> None:
        import httpx  # noqa: PLC0415 - 70 ms, and loaded by now in a thread of its own

        limits = httpx.Limits(max_connections=None, keepalive_expiry=200.0)
        await self._use(
            httpx.AsyncHTTPTransport(uds=str(socket), limits=limits, trust_env=False, verify=False)
        )

    async def _use(self, transport: "httpx.AsyncBaseTransport") -> None:
        import httpx  # noqa: PLC0415 - as above

        old = self._http
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://treadle", trust_env=False, timeout=60
        )
        if old is not None:
            await old.aclose()

    # the end

    def linger(
        self, on_wait: Callable[[list[Run]], None], give_up: Callable[[], bool] = lambda: False
    ) -> None:
        """As the owner, wait for the runs of others, before closing.

        on_wait: told which, whenever their list changes. give_up: asked every now and then; a
        question, not an exception, which could come at a moment when it breaks a lock.
        """
        while self.house is not None and (runs := self.portal.call(self.house.active_runs)):
            on_wait(runs)
            ended = self.portal.start_task_soon(self.house.scheduler.wait, runs[0].id)
            while not ended.done():
                if give_up():
                    ended.cancel()
                    return
                concurrent.futures.wait([ended], timeout=ASK_SECONDS)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's lock and socket, touch nothing else."""
        super().abandon()
        if self._lock is not None:
            self._lock.release()
        if self.house is not None:
            self.house.socket.forget()


def as_ours(error: BaseException) -> TreadleError:
    """The reason why a house fell, told to each caller."""
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    if isinstance(inner, TreadleError):
        return inner
    return InternalError(f"The owner had to stop: {type(inner).__name__}: {inner}")
