"""A quick look into a ledger, for completion on the command line.

It reads beside the owner and loads sqlite3 alone, a tenth of what the ledger's own room needs, so
its few queries stand here and not in a file. What cannot be read is not there.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

MOST = 100

_RUNS = """
SELECT id, pipeline, state, created_at FROM runs
 WHERE id >= ? AND id < ? AND (? = '' OR instr(?, ' ' || state || ' '))
 ORDER BY id DESC LIMIT ?
"""
_RUN = "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 2"
_STEPS = "SELECT step, state, id FROM jobs WHERE run_id = ? ORDER BY position"
_OUTPUTS = """
SELECT jobs.step, outputs.name, outputs.media_type FROM jobs
  JOIN outputs ON outputs.job_id = jobs.id
 WHERE jobs.run_id = ? ORDER BY jobs.position, outputs.name
"""
_PIPELINES = "SELECT DISTINCT pipeline FROM runs ORDER BY pipeline LIMIT ?"
_LABELS = "SELECT DISTINCT key, value FROM run_labels ORDER BY run_id DESC LIMIT ?"
_LAST_CHARACTER = "\U0010ffff"


class Glance:
    """One connection that never writes; made and used at once."""

    def __init__(self, data_dir: Path) -> None:
        self._address = f"file:{quote(str(data_dir / 'ledger.db'))}?mode=ro"

    def _ask(self, query: str, *values: Any) -> list[Any]:
        for address in (self._address, f"{self._address}&immutable=1"):  # a folder we cannot write
            try:
                connection = sqlite3.connect(address, uri=True, timeout=0.1)
                try:
                    return connection.execute(query, values).fetchall()
                finally:
                    connection.close()
            except sqlite3.Error:
                continue
        return []

    def runs(self, prefix: str = "", states: Sequence[str] = ()) -> list[tuple[str, str, str, Any]]:
        """(id, pipeline, state, seconds since 1970 of its beginning), newest first."""
        wanted = f" {' '.join(states)} " if states else ""
        return self._ask(_RUNS, prefix, prefix + _LAST_CHARACTER, wanted, wanted, MOST)

    def run(self, asked: str) -> str | None:
        """The whole id of a run, of its unique beginning, or the newest (@last)."""
        beginning = "" if asked in ("@last", "latest") else asked
        for prefix in (beginning, f"run_{beginning}"):
            found = self._ask(_RUN, prefix, prefix + _LAST_CHARACTER)
            if found and (len(found) == 1 or not beginning):
                return str(found[0][0])
        return None

    def steps(self, run_id: str) -> list[tuple[str, str]]:
        """(step, state), in order."""
        return [(step, state) for step, state, _ in self._ask(_STEPS, run_id)]

    def outputs(self, run_id: str) -> list[tuple[str, str, str]]:
        """(step, output, media type), in order."""
        return self._ask(_OUTPUTS, run_id)

    def pipelines(self) -> list[str]:
        return [name for (name,) in self._ask(_PIPELINES, MOST)]

    def labels(self) -> list[tuple[str, str]]:
        """(key, value), the latest first."""
        return self._ask(_LABELS, MOST)
