"""perform(order, channel) -> Report: carries out one order in this process, whatever its kind."""

from treadle.interfaces import Channel, Runtime
from treadle.model.orders import Order, Report
from treadle.model.records import Failure, FailureType
from treadle.runtime.build import BuildRuntime
from treadle.runtime.function import FunctionRuntime
from treadle.runtime.script import ScriptRuntime

_RUNTIMES: dict[str, Runtime] = {
    "build": BuildRuntime(),
    "function": FunctionRuntime(),
    "script": ScriptRuntime(),
}


def perform(order: Order, channel: Channel) -> Report:
    """Carry out the order with the runtime of its kind; never raises for what user code does."""
    runtime = _RUNTIMES.get(order.kind)
    if runtime is None:
        known = ", ".join(sorted(_RUNTIMES))
        failure = Failure(
            type=FailureType.INTERNAL,
            message=f"This worker cannot run tools of kind {order.kind!r}.",
            hint=f"It knows {known}: is it an older release than the server?",
        )
        return Report(outcome="failed", failure=failure)
    return runtime.perform(order, channel)
