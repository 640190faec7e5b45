"""From how a slot went to the report of the attempt it was performing. Pure."""

import signal
from dataclasses import replace
from typing import Any

from treadle.engine.local.frames import LINE_LOST
from treadle.errors import TreadleError
from treadle.model.orders import Report
from treadle.model.records import Certificate, Execution, Failure, FailureType

Gone = dict[str, Any]  #: what the fork server says of a slot that is gone

_LINE_LIMIT = 300  #: characters of what a program said that a message repeats

LOST = Report(
    outcome="lost",
    failure=Failure(
        type=FailureType.LOST,
        message="The process that starts the jobs on this machine was killed.",
        hint="The job is started again by itself.",
    ),
)


def report_of(
    said: Report | None, cause: str, gone: Gone, execution: Execution, last_lines: str
) -> Report:
    """How the attempt ended. said: the slot's report; cause: why the owner asked for its end."""
    certificate = Certificate(
        signal=gone["signal"],
        exit_code=gone["exit_code"],
        out_of_memory=gone["out_of_memory"] or gone["why"] == "memory",
        peak_memory_bytes=gone["peak_bytes"],
        last_lines=last_lines,
    )
    peak = max(gone["peak_bytes"], said.peak_memory_bytes or 0 if said else 0)
    if cause == "abort":
        cpu = said.cpu_seconds if said else None
        return Report(outcome="aborted", peak_memory_bytes=peak, cpu_seconds=cpu)
    if cause == "timeout":
        return _failed(_timeout(execution, _terminated(certificate)), peak)
    if gone["why"] == "memory" and execution.memory_bytes is None:
        return LOST  # meant for the job before, which ended at the same moment
    if gone["why"] == "memory":
        return _failed(_over_limit(execution, certificate), peak)
    if said is not None:
        if said.outcome == "aborted":  # SIGTERM, but not from us
            return _failed(_crashed(_terminated(certificate), gone), peak)
        return said
    return _failed(_crashed(certificate, gone), peak)


def lost(words: str) -> Report:
    """The report of an attempt whose fork server ended. words: the last it said, if anything."""
    if not words or LOST.failure is None:
        return LOST
    message = f"The process that starts the jobs on this machine ended: {words}"
    return replace(LOST, failure=replace(LOST.failure, message=message))


def unable(line: str, words: str) -> Report:
    """The report of an attempt whose fork server never came up, so that no job can be run."""
    message = "The process that starts the jobs on this machine cannot start"
    failure = Failure(
        type=FailureType.INTERNAL,
        message=f"{message}: {line}" if line else f"{message}.",
        hint="`treadle doctor` looks over what Treadle needs.",
        certificate=Certificate(last_lines=words),
    )
    return Report(outcome="failed", failure=failure)


def not_executable(interpreter: str, error: TreadleError | OSError) -> Report:
    """The report of an attempt whose interpreter is no program."""
    if isinstance(error, TreadleError):
        message, hint = error.message, error.hint
    else:
        message = f"The interpreter {interpreter} cannot be executed: {error.strerror}."
        hint = f"Does `{interpreter} -c 'print(1)'` work?"
    failure = Failure(type=FailureType.BUILD, message=message, hint=hint)
    return Report(outcome="failed", failure=failure)


def with_last_words(report: Report, kind: str, last_lines: str, errors: str) -> Report:
    """The report of a failure with what was printed before it, where the slot could not tell.

    last_lines: of both streams; errors: of standard error. A script that ended with an exit code
    has most often said why in the last line there.
    """
    failure = report.failure
    if failure is None or failure.certificate is None:
        return report
    certificate = failure.certificate
    if not certificate.last_lines:
        failure = replace(failure, certificate=replace(certificate, last_lines=last_lines))
    bare = failure.message.rstrip(".").endswith(f"exit code {certificate.exit_code}")
    if kind == "script" and bare and (line := last_line(errors)):
        failure = replace(failure, message=f"{failure.message.rstrip('.')}: {line}")
    return replace(report, failure=failure)


def last_line(text: str) -> str:
    """The last line that says something, cut to a sensible length."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_LINE_LIMIT] if lines else ""


def _terminated(certificate: Certificate) -> Certificate:
    """A slot that is told to end ends in good order, with exit code 0; the signal says more."""
    if certificate.signal is not None:
        return certificate
    return replace(certificate, signal=int(signal.SIGTERM), exit_code=None)


def not_started(why: str) -> Report:
    """The report of an attempt for which no process could be had."""
    failure = Failure(
        type=FailureType.INTERNAL,
        message=why,
        hint="Is the machine out of memory, processes or open files (`ulimit -u -n`)?",
    )
    return Report(outcome="failed", failure=failure)


def _failed(failure: Failure, peak: int) -> Report:
    return Report(outcome="failed", failure=failure, peak_memory_bytes=peak)


def _timeout(execution: Execution, certificate: Certificate) -> Failure:
    return Failure(
        type=FailureType.TIMEOUT,
        message=f"The job ran longer than its timeout of {execution.timeout_seconds:g} seconds.",
        hint="Give the tool a longer timeout, or make it do less.",
        certificate=certificate,
    )


def _over_limit(execution: Execution, certificate: Certificate) -> Failure:
    peak, limit = size(certificate.peak_memory_bytes or 0), size(execution.memory_bytes or 0)
    return Failure(
        type=FailureType.MEMORY,
        message=f"The job used {peak} of memory, more than its limit of {limit}, and was killed.",
        hint="Give the tool more memory, or let it work on less data at a time.",
        certificate=certificate,
    )


def child_killed_by_kernel(report: Report) -> Report:
    """The report of a script's slot whose child the kernel killed for want of memory."""
    failure = report.failure
    if failure is None or failure.certificate is None:
        return report
    return replace(report, failure=_out_of_memory(replace(failure.certificate, out_of_memory=True)))


def _out_of_memory(certificate: Certificate) -> Failure:
    return Failure(
        type=FailureType.MEMORY,
        message="The process was killed by the kernel because the machine ran out of memory.",
        hint="Give the tool a memory limit, so that fewer such jobs run at the same time.",
        certificate=certificate,
    )


def _crashed(certificate: Certificate, gone: Gone) -> Failure:
    if certificate.out_of_memory:
        return _out_of_memory(certificate)
    message, hint = _sentence(certificate, gone)
    return Failure(type=FailureType.CRASHED, message=message, hint=hint, certificate=certificate)


def _sentence(certificate: Certificate, gone: Gone) -> tuple[str, str]:
    if gone["why"] == "closed" or certificate.exit_code == LINE_LOST:
        return (
            "The process lost its connection: the job's code touched descriptors not its own.",
            "Close only what the code has opened (look for os.closerange and the like).",
        )
    if certificate.signal is None:
        return (
            f"The process ended with exit code {certificate.exit_code} inside the function.",
            "Does it call os._exit, or a library that does? End with an exception instead.",
        )
    name = _signal_name(certificate.signal)
    faults = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)
    if certificate.signal in faults:
        hint = "A fault in compiled code; the last lines it printed show where it was."
    else:
        hint = "Somebody, or a program, sent this signal from outside."
    return f"The process was killed by {name}.", hint


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def size(number: float) -> str:
    """A size for people: 1.5 GB."""
    unit, *larger = "bytes", "KB", "MB", "GB", "TB"
    while number >= 1000 and larger:
        number, unit = number / 1000, larger.pop(0)
    return f"{number:.3g} {unit}"
