"""From what a tool printed to why an environment could not be built, and what to do. Pure."""

import re
from dataclasses import replace
from datetime import timedelta

from treadle.errors import TreadleError
from treadle.model.orders import Report
from treadle.model.quantities import duration_text
from treadle.model.records import Certificate, Failure, FailureType

_BEGIN = re.compile(r"^\s*(?:\u00d7 |(?:error|critical|fatal|\w+Error)\b)", re.IGNORECASE)
_CAUSE = re.compile(
    r"""^\s*(?:error:|cause:|caused by:|[^\w`'"/]+)\s*(?:caused by:)?\s*""", re.IGNORECASE
)
_MESSAGE_LIMIT = 400
_MOST_CAUSES = 3
_TAIL_LINES = 30
_HINTS = (
    (r"not found in the package registry|no version of|PackagesNotFound|nothing provides",
     "Check the spelling and the version, and that the index has it."),
    (r"unsatisfiable|incompatible|Could not solve",
     "No set of versions fits all requirements: loosen one of those named."),
    (r"No interpreter found|No download found|python-build-standalone",
     "Install that Python (`uv python install`), or name a version that is there."),
    (r"No space left", "Free some disk space: `treadle gc` removes unused environments."),
    (r"dns error|Connect\)|offline|Temporary failure|Could not resolve|timed out|unreachable",
     "Is this machine online? Where packages come from is set as for uv or pip."),
)  # fmt: skip


def build_failure(report: Report, log: str, log_file: str, limit_seconds: float) -> Failure:
    """Why the build failed. log: the end of what it printed."""
    said = report.failure
    if said is not None and said.type == FailureType.TIMEOUT:
        limit = duration_text(timedelta(seconds=limit_seconds))
        said = replace(said, message=f"It was not ready after {limit}.")
    reason = _reason(log) or (said.message if said else "The build was ended.")
    certificate = (said and said.certificate) or Certificate()
    return Failure(
        type=FailureType.BUILD,
        message=f"The environment cannot be built: {reason}",
        hint=_hint(log) or f"The whole log is in {log_file}",
        certificate=replace(certificate, last_lines=_last_lines(log)),
    )


def refused(error: TreadleError | OSError) -> Failure:
    """The build cannot even begin."""
    if isinstance(error, TreadleError):
        return Failure(type=FailureType.BUILD, message=error.message, hint=error.hint)
    return Failure(
        type=FailureType.BUILD,
        message=f"The environment cannot be built: {error.filename}: {error.strerror}.",
        hint="The data directory has to be writable.",
    )


def _reason(log: str) -> str:
    """The tool's own last error with its causes, as one line."""
    lines = [line.rstrip() for line in log.splitlines()]
    begins = [number for number, line in enumerate(lines) if _BEGIN.match(line)]
    if not begins:
        return ""
    parts = []
    for line in lines[begins[-1] :]:
        text = _CAUSE.sub("", line).strip()
        if not text or text.startswith("hint:"):
            break
        parts.append(text)
    if len(parts) > _MOST_CAUSES:  # what is between says the same in other words
        parts = [*parts[: _MOST_CAUSES - 1], parts[-1]]
    return _cut("; ".join(part.rstrip(".:;") for part in parts) + ".")


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE_LIMIT else text[: _MESSAGE_LIMIT - 3] + "..."


def _hint(log: str) -> str:
    return next((hint for pattern, hint in _HINTS if re.search(pattern, log, re.IGNORECASE)), "")


def _last_lines(log: str) -> str:
    return "\n".join(log.splitlines()[-_TAIL_LINES:])
