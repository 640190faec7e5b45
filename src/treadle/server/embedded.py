"""The house in a thread of this process, and the client that talks to it, or to its live owner.

There is one road: client, HTTP over a Unix socket, scheduler. Who finds a live owner joins it; who
finds none becomes the owner, or reads. A joined client whose owner vanishes takes its place.
"""

import atexit
import concurrent.futures.thread  # noqa: F401 - see _at_end
import contextlib
import importlib
import logging
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.abc
from anyio.from_thread import BlockingPortal, start_blocking_portal

from treadle.client import Client
from treadle.client.link import blocking
from treadle.errors import InternalError, OwnedElsewhere, TreadleError, Unavailable
from treadle.model.records import Run
from treadle.server.ownership import OwnerLock, answering, prepare_data_dir
from treadle.server.settings import Settings, load

if TYPE_CHECKING:
    import httpx

    from treadle.server.build import OpenHouse

STARTING_SECONDS = 30.0  #: how long an owner may take until it answers
LOOK_AGAIN_SECONDS = 0.01
log = logging.getLogger("treadle")


class Embedded:
    """A client's link to a data directory: its owner, joined to its owner, or a reader.

    Implements `treadle.client.link.Link`. Everything of it lives in one thread's event loop.
    """

    def __init__(self, settings: Settings, *, fast_loop: bool = False) -> None:
        self.settings = settings
        self.on_notice: Callable[[str], None] = log.warning
        self.house: OpenHouse | None = None
        self._read_only = False
        self._http: httpx.AsyncClient | None = None
        self._pid, self._closed = os.getpid(), False
        self._lock: OwnerLock | None = None
        self._falling = False  # our own house breaks down
        self._failure: BaseException | None = None  # why
        self._stack = contextlib.ExitStack()
        options = {"use_uvloop": fast_loop}
        self.portal: BlockingPortal = self._stack.enter_context(
            start_blocking_portal(backend_options=options, name="treadle")
        )
        self._stack.enter_context(self.portal.wrap_async_context_manager(self._life()))
        _alive.add(self)

    @contextlib.asynccontextmanager
    async def _life(self) -> AsyncIterator[None]:
        """What lives in the loop is a task of one group, which ends when closing is set."""
        self._closing, self._fallen = anyio.Event(), anyio.Event()
        self._restoring = anyio.Lock()
        async with anyio.create_task_group() as self._rooms:
            yield

    @property
    def read_only(self) -> bool:
        return self._read_only

    @property
    def is_owner(self) -> bool:
        return self.house is not None

    def __repr__(self) -> str:
        role = "owner of" if self.is_owner else "reader of" if self._read_only else "joined to"
        return f"{role} {self.settings.data_dir}"

    # roles

    async def own(self, lock: OwnerLock) -> None:
        """Build the house and live in it."""
        self._lock = lock
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

    async def http(self) -> "httpx.AsyncClient":
        if self._http is None or self._closed:
            raise Unavailable("This client is closed.", hint="Connect again.")
        return self._http

    async def restore(self, broken: "httpx.AsyncClient") -> None:
        async with self._restoring:
            if self._http is not broken:
                return  # somebody else did it
            if self._closed or self._read_only:
                raise Unavailable("This client is closed.", hint="Connect again.")
            if self._falling:
                await self._fallen.wait()
                raise _as_ours(self._failure or InternalError("The owner had to stop."))
            await self._find_or_take_over()

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

    def close(
        self, *, linger: bool = False, on_wait: Callable[[list[Run]], None] | None = None
    ) -> None:
        """Stop serving; hand what runs back to the queue; let go of the data directory.

        linger: as the owner, first wait for the runs of others. on_wait: told which, whenever
        their list changes.
        """
        if self._closed or os.getpid() != self._pid:
            return
        if linger:
            self._linger(on_wait or (lambda runs: None))
        self._closed = True
        _alive.discard(self)
        with self._stack:
            blocking(self.portal, self._leave)

    def _linger(self, on_wait: Callable[[list[Run]], None]) -> None:
        while self.house is not None and (runs := self.portal.call(self.house.active_runs)):
            on_wait(runs)
            blocking(self.portal, self.house.scheduler.wait, runs[0].id)

    async def _leave(self) -> None:
        if self._http is not None:
            await self._http.aclose()
        self._closing.set()

    def abandon(self) -> None:
        """In a forked child: let go of the parent's lock and socket, touch nothing else."""
        self._closed = True
        if self._lock is not None:
            self._lock.release()
        if self.house is not None:
            self.house.socket.forget()


def _as_ours(error: BaseException) -> TreadleError:
    """The reason why a house fell, told to each caller."""
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    if isinstance(inner, TreadleError):
        return inner
    return InternalError(f"The owner had to stop: {type(inner).__name__}: {inner}")


# ---- ways to a client


def connect(settings: Settings, *, start: bool = True, read: bool = False) -> Client:
    """A client of the data directory: joined to its owner if there is one.

    If there is none: with `start` this process becomes the owner; else with `read` it opens what
    is there for reading. Raises Unavailable, NotFound (nothing there to read).
    """
    if socket := answering(settings.data_dir):
        return _client(Embedded(settings), "join", socket)
    if start:
        return _start(settings)
    if read:
        return _client(Embedded(settings), "read")
    raise Unavailable(
        f"Nothing is running on the data directory {settings.data_dir}.",
        hint="`treadle run` becomes its owner.",
    )


def _start(settings: Settings) -> Client:
    prepare_data_dir(settings.data_dir)
    threading.Thread(target=importlib.import_module, args=("httpx",), daemon=True).start()
    deadline = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            lock = OwnerLock(settings.data_dir)
        except OwnedElsewhere:  # somebody was faster, and may not answer yet
            if socket := answering(settings.data_dir):
                return _client(Embedded(settings), "join", socket)
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_AGAIN_SECONDS)
            continue
        link = Embedded(settings, fast_loop=True)
        return _client(link, "own", lock)


def _client(link: Embedded, role: Literal["own", "join", "read"], *means: Any) -> Client:
    try:
        blocking(link.portal, getattr(link, role), *means)
    except BaseException as error:
        link.close()
        if isinstance(error, BaseExceptionGroup):
            raise _as_ours(error) from error
        raise
    return Client(link)


@contextlib.contextmanager
def local(
    *, slots: int | None = None, data_dir: Path | str | None = None, **settings: Any
) -> Iterator[Client]:
    """A client with an engine that stays warm over many runs.

    Without `data_dir` it is that of the settings. Where that has a live owner it is joined, and
    the slots are the owner's. Runs of others are waited for at the end.
    """
    client = connect(load(slots=slots, data_dir=data_dir, **settings))
    try:
        yield client
    finally:
        client.close()


_alive: "weakref.WeakSet[Embedded]" = weakref.WeakSet()
_abandoned: list[Embedded] = []  # kept for ever: what a forked child must not finalise
_default: Client | None = None
_default_guard = threading.Lock()


def default_client() -> Client:
    """The client of this process, made at first use and closed at its end."""
    global _default
    with _default_guard:
        if _default is None:
            _default = connect(load())
        return _default


def _close_default() -> None:
    global _default
    client, _default = _default, None
    if client is not None:
        client.close()


def _forget_after_fork() -> None:
    """A forked child has no loop thread: it starts afresh, and keeps no hold on the parent's."""
    global _default, _default_guard
    _default, _default_guard = None, threading.Lock()
    for link in list(_alive):
        link.abandon()
        _abandoned.append(link)
    _alive.clear()


# atexit comes too late: executors are shut down by then, and new threads refused (from 3.12 on).
# Last registered is called first, so the executors' own call, made by the import, comes after.
_at_end: Callable[..., Any] = getattr(threading, "_register_atexit", atexit.register)
_at_end(_close_default)
os.register_at_fork(after_in_child=_forget_after_fork)
