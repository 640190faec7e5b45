"""How scripted attempts go."""

from treadle.interfaces import Capacity
from treadle.model.orders import Report, Started
from treadle.model.records import Failure, FailureType
from treadle.model.refs import Ref

DONE = Report(
    outcome="completed",
    outputs={
        "result": Ref(
            digest="d", size_bytes=1, media_type="application/json", codec="json", inline=b"1"
        )
    },
)
BOOM = Report(outcome="failed", failure=Failure(type=FailureType.USER, message="boom"))
TWO = Capacity(slots=2, cpus=2, memory_bytes=2**30)
DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def fails(*steps, report=BOOM):
    return lambda order: report if order.step in steps else DONE


def holds(order):
    return [Started(order.attempt, 0)]
