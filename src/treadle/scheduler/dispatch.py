"""What runs next: the head of the queue that fits the room, as orders for the engine."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from treadle.errors import InternalError, TreadleError
from treadle.interfaces import Books, Capacity, Seal
from treadle.model.bindings import (
    Arguments,
    Binding,
    Output,
    Stored,
    leaves,
    replace_outputs,
)
from treadle.model.orders import AttemptKey, Order
from treadle.model.records import Failure, FailureType, Job, Tool
from treadle.model.refs import Ref
from treadle.model.states import JobEvent
from treadle.scheduler.backlog import QUEUE_LIMIT
from treadle.scheduler.fairness import Lines, Memory
from treadle.scheduler.settle import Flight

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every order of this owner has in common."""

    owner: str
    blobs: str  #: address of the blob store
    scratch: str  #: directory that holds one scratch directory per job
    output_limit_bytes: int
    seal: Seal
    fsync: bool = False
    queue_limit: int = QUEUE_LIMIT  #: jobs that have not ended


def room_left(capacity: Capacity, flights: Iterable[Flight]) -> Capacity:
    """What the leased attempts leave free."""
    asks = [flight.job.execution for flight in flights]
    return Capacity(
        slots=capacity.slots - len(asks),
        cpus=capacity.cpus - sum(ask.cpus for ask in asks),
        memory_bytes=capacity.memory_bytes - sum(ask.memory_bytes or 0 for ask in asks),
        gpus=capacity.gpus - sum(ask.gpus for ask in asks),
    )


class Dispatcher:
    """Leases jobs, as the users' turns come."""

    def __init__(self, site: Site, capacity: Capacity) -> None:
        self._site, self._capacity = site, capacity
        self._memory = Memory()

    def lease(
        self, books: Books, flights: Collection[Flight], at: datetime, monotonic: float
    ) -> list[tuple[Job, Order | Failure]]:
        """Lease what fits beside the flights; each with its order, or why there can be none."""
        leased: list[tuple[Job, Order | Failure]] = []
        room = room_left(self._capacity, flights)
        if room.slots <= 0:
            return leased
        users = (flight.job.user for flight in flights)
        lines = Lines(books, self._capacity, self._memory, users, monotonic)
        while room.slots > 0 and (job := lines.take(room)) is not None:
            taken = books.move_job(
                job,
                JobEvent.LEASED,
                at,
                owner=self._site.owner,
                attempt=job.attempt + 1,
                reason="slot",
                started_at=None,
            )
            order = self._order_or_failure(books, taken)
            leased.append((taken, order))
            if isinstance(order, Order):
                room = take(room, job)
        return leased

    def _order_or_failure(self, books: Books, job: Job) -> Order | Failure:
        try:
            return self.order(books, job)
        except (TreadleError, LookupError, TypeError, ValueError, RecursionError) as error:
            log.exception("there can be no order for job %s", job.id)
            words = error.message if isinstance(error, TreadleError) else str(error)
            hint = error.hint if isinstance(error, TreadleError) else ""
            return Failure(
                type=FailureType.INTERNAL,
                message=f"What the ledger holds of this step makes no order: {words}",
                hint=hint or "Please report.",
            )

    def order(self, books: Books, job: Job) -> Order:
        """All that the far side needs to perform the job's current attempt."""
        tool = books.tool(job.tool_id)
        arguments = books.arguments_of(job.id)
        inputs = books.inputs_of(job.id) if _takes_outputs(arguments) else {}
        return Order(
            attempt=AttemptKey(job.id, job.attempt),
            step=job.step,
            run_id=job.run_id,
            kind=tool.kind,
            code=tool.code,
            arguments={name: _filled(each, inputs) for name, each in arguments.items()},
            execution=job.execution,
            outputs=tool.outputs,
            environment=tool.environment,
            variables=tool.variables,
            secrets=self._secrets(books, job, tool) if tool.secrets else {},
            blobs=self._site.blobs,
            scratch_dir=f"{self._site.scratch}/{job.id}",
            output_limit_bytes=self._site.output_limit_bytes,
            fsync=self._site.fsync,
        )

    def _secrets(self, books: Books, job: Job, tool: Tool) -> dict[str, str]:
        """Variables with their secret values, opened for this one order."""
        sealed = books.secrets_of(job.run_id or "")
        return {name: self._site.seal.open(sealed[key]) for name, key in tool.secrets.items()}


def take(room: Capacity, job: Job) -> Capacity:
    """The room without what the job takes."""
    asks = job.execution
    return Capacity(
        slots=room.slots - 1,
        cpus=room.cpus - asks.cpus,
        memory_bytes=room.memory_bytes - (asks.memory_bytes or 0),
        gpus=room.gpus - asks.gpus,
    )


def _takes_outputs(arguments: Arguments) -> bool:
    return any(isinstance(leaf, Output) for each in arguments.values() for leaf in leaves(each))


def _filled(binding: Binding, inputs: Mapping[tuple[str, str], Ref]) -> Binding:
    def stored(output: Output) -> Binding:
        try:
            return Stored(inputs[output.step, output.name])
        except KeyError:
            raise InternalError(f"step {output.step!r} has no output {output.name!r}") from None

    return replace_outputs(binding, stored)
