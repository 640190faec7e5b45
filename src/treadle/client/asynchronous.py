"""The client for asyncio. `asynchronous.pyi` beside it says what its verbs give when awaited.

There is no second logic: these are the client, the run and the step of the other modules, behind a
door whose calls are awaited (see `treadle.client.door`). `scripts/stub` writes the stub.
"""

from typing import Any

from treadle.client.client import Client
from treadle.client.door import AwaitingDoor
from treadle.client.runs import Run as AsyncRun
from treadle.client.steps import StepHandle as AsyncStepHandle

__all__ = ["AsyncClient", "AsyncRun", "AsyncStepHandle"]


class AsyncClient(Client):
    """`treadle.Client` whose verbs are awaited, and those of its runs and steps.

    It works in asyncio, from any number of its loops. Close it, or use it in `async with`.
    """

    _door_kind = AwaitingDoor

    def __enter__(self) -> Any:
        raise TypeError("An AsyncClient is used in `async with`.")

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.door.close()
