"""A house without an engine, whose clock a test sets by hand."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from samples import NOW, HandClock
from treadle.api.http.gate import Gate
from treadle.api.http.state import House
from treadle.model.access import Token
from treadle.model.credentials import hash_of, new_secret, new_token_id, text_of
from treadle.storage.blobs.memory import MemoryBlobs
from treadle.storage.ledger.sqlite import SqliteLedger
from treadle.storage.logs import LogStore

OWNERS = "trd_owner_secret"


@dataclass
class Lobby:
    """Its gate, and what is behind it."""

    gate: Gate
    house: House

    @property
    def clock(self) -> HandClock:
        return self.house.clock

    def add_token(self, *scopes, name="a", **fields):
        """The text of a new one."""
        secret = new_secret()
        token = Token(
            id=new_token_id(), name=name, user=name, scopes=scopes, created_at=NOW, **fields
        )
        self.house.ledger.write_now(lambda books: books.add_token(token, hash_of(secret)))
        return text_of(token.id, secret)

    def known(self, name="a"):
        """The token as the ledger has it."""
        tokens = self.house.ledger.read(lambda books: books.tokens())
        return next(each for each in tokens if each.name == name)

    @asynccontextmanager
    async def caller(self, token="", address="10.0.0.1"):
        transport = httpx.ASGITransport(self.gate, client=(address, 5000))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        base = "http://127.0.0.1:8470/api/v1"
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as http:
            yield http


@asynccontextmanager
async def lobby(data_dir, **fields):
    ledger, logs = SqliteLedger(":memory:"), LogStore(data_dir / "logs")
    house = House(
        ledger=ledger,
        blobs=MemoryBlobs(),
        logs=logs,
        data_dir=data_dir,
        clock=HandClock(),
        owner_token=OWNERS,
        **fields,
    )
    try:
        yield Lobby(Gate(house), house)
    finally:
        logs.close()
        ledger.close()
