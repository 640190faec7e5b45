"""The house in a thread of this process, and the client that talks to it, or to its live owner.

There is one road: client, HTTP over a Unix socket, scheduler. Who finds a live owner joins it; who
finds none becomes the owner, or reads. A joined client whose owner vanishes takes its place.
"""

import atexit
import concurrent.futures.thread  # noqa: F401 - see _at_end
import contextlib
import importlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from treadle.client import Client
from treadle.client.link import blocking
from treadle.errors import OwnedElsewhere, Unavailable
from treadle.server.connecting import remote_link
from treadle.server.link import LOOK_AGAIN_SECONDS, STARTING_SECONDS, Embedded, as_ours
from treadle.server.ownership import OwnerLock, answering, prepare_data_dir
from treadle.server.settings import Settings, load

__all__ = ["Embedded", "connect", "default_client", "local"]


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
            raise as_ours(error) from error
        raise
    return Client(link)


@contextlib.contextmanager
def local(
    *, slots: int | None = None, data_dir: Path | str | None = None, **settings: Any
) -> Iterator[Client]:
    """A client with an engine that stays warm over many runs.

    Without `data_dir` it is that of the settings. Where that has a live owner it is joined, and
    the slots are the owner's. At the end, what still runs is handed back to the queue.
    """
    client = connect(load(slots=slots, data_dir=data_dir, **settings))
    try:
        yield client
    finally:
        client.close()


_default: Client | None = None
_default_guard = threading.Lock()


def default_client() -> Client:
    """The client of this process, made at first use and closed at its end.

    Of the setting `server`, where it names one; else of the data directory.
    """
    global _default
    with _default_guard:
        if _default is None:
            settings = load()
            if settings.server:
                _default = Client(remote_link(settings, settings.server))
            else:
                _default = connect(settings)
        return _default


def _close_default() -> None:
    global _default
    client, _default = _default, None
    if client is not None:
        client.close()


def _forget_after_fork() -> None:
    """A forked child has no loop thread: it starts afresh (see `treadle.client.connected`)."""
    global _default, _default_guard
    _default, _default_guard = None, threading.Lock()


# atexit comes too late: executors are shut down by then, and new threads refused (from 3.12 on).
# Last registered is called first, so the executors' own call, made by the import, comes after.
_at_end: Callable[..., Any] = getattr(threading, "_register_atexit", atexit.register)
_at_end(_close_default)
os.register_at_fork(after_in_child=_forget_after_fork)
