"""Runs a Python function: finds its code and arguments, calls it, stores what it returned."""

import functools
from pathlib import Path
from typing import Any, Literal

from treadle import step
from treadle.errors import CodecError, TreadleError
from treadle.interfaces import BlobStore, Channel
from treadle.model.orders import Order, Report
from treadle.model.records import Failure, FailureType
from treadle.model.refs import Ref
from treadle.runtime.calls import awaited, named_outputs, resolve
from treadle.runtime.code import CodeCache, build_failure
from treadle.runtime.failures import Stop, Terminated, failure_of, storing_failure
from treadle.runtime.usage import Usage
from treadle.storage.blobs import load_value, open_blobs, store_value


class FunctionRuntime:
    """Performs orders of kind `function`; keeps loaded code from one order to the next."""

    def __init__(self) -> None:
        self._code = CodeCache()

    def perform(self, order: Order, channel: Channel) -> Report:
        before = Usage.now()
        job = step.CurrentJob(channel, order.attempt.number, order.scratch_dir)
        step.enter(job)
        outcome: Literal["completed", "failed", "aborted"] = "completed"
        outputs: dict[str, Ref] = {}
        failure = None
        try:
            outputs = self._outputs(order, channel)
        except Stop as stop:
            outcome, failure = "failed", stop.failure
        except Terminated:
            outcome = "aborted"
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the process
            outcome, failure = "failed", failure_of(error, FailureType.INTERNAL)
        finally:
            job.finish()
            step.enter(None)
        cpu_seconds, peak = Usage.now().since(before)
        return Report(
            outcome=outcome,
            outputs=outputs,
            failure=failure,
            cpu_seconds=cpu_seconds,
            peak_memory_bytes=peak,
        )

    def _outputs(self, order: Order, channel: Channel) -> dict[str, Ref]:
        channel.started()
        blobs = store_at(order.blobs, order.fsync)
        returned = self._returned(order, blobs)
        try:
            values = named_outputs(returned, order.outputs)
        except TypeError as error:
            raise Stop(Failure(type=FailureType.USER, message=_sentence(error))) from None
        return {name: _stored(blobs, value) for name, value in values.items()}

    def _returned(self, order: Order, blobs: BlobStore) -> Any:
        """What the user's code returned; its module is imported here too."""
        try:
            invoke = self._code.load(order.code, blobs, order.blobs)
        except Terminated:
            raise
        except BaseException as error:  # noqa: BLE001 - modules may raise anything
            raise Stop(build_failure(error)) from None
        try:
            arguments = resolve(order.arguments, functools.partial(_loaded, blobs, order))
        except TreadleError as error:
            raise Stop(_argument_failure(error)) from None
        except Terminated:
            raise
        except BaseException as error:  # noqa: BLE001 - unpickling runs the user's code
            raise Stop(failure_of(error)) from None
        try:
            return awaited(invoke(arguments))
        except Terminated:
            raise
        except SystemExit as error:
            if error.code in (None, 0):
                return None
            raise Stop(failure_of(error)) from None
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is told
            raise Stop(failure_of(error)) from None


def _loaded(blobs: BlobStore, order: Order, ref: Ref) -> Any:
    """The value; a file or directory is put into the attempt's own folder."""
    directory = None
    if ref.codec.startswith("path"):
        directory = Path(order.scratch_dir) / "inputs" / str(order.attempt.number)
    return load_value(blobs, ref, directory)


def _stored(blobs: BlobStore, value: Any) -> Ref:
    try:
        return store_value(blobs, value)
    except TreadleError as error:
        raise Stop(storing_failure(error)) from None
    except Terminated:
        raise
    except BaseException as error:  # noqa: BLE001 - pickling runs the user's code
        raise Stop(failure_of(error)) from None


def _argument_failure(error: TreadleError) -> Failure:
    type_ = FailureType.USER if isinstance(error, CodecError) else FailureType.INTERNAL
    return failure_of(error, type_)


def _sentence(error: TypeError) -> str:
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."


@functools.lru_cache(maxsize=4)
def store_at(address: str, fsync: bool) -> BlobStore:
    """The blob store at an order's address."""
    return open_blobs(address, fsync=fsync)
