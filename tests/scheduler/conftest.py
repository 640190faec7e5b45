from contextlib import asynccontextmanager

import anyio
import pytest

from samples import NOW
from treadle.engine.memory import MemoryEngine
from treadle.scheduler import Scheduler, Site, Stores
from treadle.storage.blobs.memory import MemoryBlobs
from treadle.storage.ledger.sqlite import SqliteLedger
from treadle.storage.logs import LogStore
from treadle.storage.seal import FileSeal


class Desk:
    """A ledger that outlives the schedulers which work on it."""

    def __init__(self, directory, clock):
        self.ledger = SqliteLedger(":memory:")
        self.blobs = MemoryBlobs()
        self.logs = LogStore(directory / "logs")
        self.scratch, self.key = directory / "scratch", directory / "secrets.key"
        self.clock, self.owners = clock, 0

    @asynccontextmanager
    async def scheduler(self, engine=None, *, clock=None, **options):
        """A scheduler at work; leaving kills it, as kill -9 would."""
        self.owners += 1
        owner = f"own_{self.owners}"
        self.ledger.write_now(lambda b: b.add_owner(owner, self.owners, NOW))
        stores = Stores(ledger=self.ledger, blobs=self.blobs, logs=self.logs)
        site = Site(
            owner=owner,
            blobs="",
            scratch=str(self.scratch),
            output_limit_bytes=1000,
            seal=FileSeal(self.key),
            **options,
        )
        scheduler = Scheduler(stores, engine or MemoryEngine(), site, clock=clock or self.clock)
        async with anyio.create_task_group() as tasks:
            await tasks.start(scheduler.run)
            yield scheduler
            tasks.cancel_scope.cancel()

    def jobs(self, run_id):
        return {job.step: job for job in self.ledger.read(lambda b: b.jobs_of(run_id))}

    def states(self, run_id):
        return {step: job.state.value for step, job in self.jobs(run_id).items()}

    def ends(self, run_id, step):
        """How the step's attempts ended, in order."""
        job_id = self.jobs(run_id)[step].id
        return [a.end for a in self.ledger.read(lambda b: b.attempts_of(job_id))]

    def run(self, run_id):
        return self.ledger.read(lambda b: b.run(run_id))


@pytest.fixture
def desk(tmp_path, clock):
    desk = Desk(tmp_path, clock)
    yield desk
    desk.logs.close()
    desk.ledger.close()
