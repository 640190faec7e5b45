"""What a pipeline returned, when it is JSON of moderate size."""

import json
from typing import Any

from treadle.cli.door import Door, Snapshot
from treadle.errors import TreadleError
from treadle.model.bindings import Binding, Entries, Items, Output, Value

JSON = "application/json"
MOST_BYTES = 1 << 20


class NotShown(Exception):
    """It is no JSON, too large, or not there."""


def pipeline_output(door: Door, told: Snapshot, *, most_bytes: int = MOST_BYTES) -> Any:
    """The value. Raises NotShown."""
    if told.run.output is None:
        raise NotShown
    jobs = {job.step: job.id for job in told.jobs}

    def value(binding: Binding) -> Any:
        if isinstance(binding, Value):
            return binding.value
        if isinstance(binding, Items):
            return [value(item) for item in binding.items]
        if isinstance(binding, Entries):
            return {key: value(item) for key, item in binding.entries.items()}
        if isinstance(binding, Output):
            return _json_output(door, jobs[binding.step], binding.name, most_bytes)
        raise NotShown

    try:
        return value(told.run.output)
    except (TreadleError, KeyError) as error:
        raise NotShown from error


def _json_output(door: Door, job_id: str, name: str, most_bytes: int) -> Any:
    ref = door.outputs(job_id)[name]
    if ref.media_type != JSON or ref.size_bytes > most_bytes:
        raise NotShown
    return json.loads(door.output(job_id, name)[1])
