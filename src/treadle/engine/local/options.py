"""What a local engine is told at its making."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from treadle.engine.local import process_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """mark: the data directory's id, carried by every process in its environment.

    environments: the folder for those that are built; None: none is. preload: modules to import
    once, in the process that the slots are forked from.
    """

    mark: str
    cpus: float = field(default_factory=process_tree.total_cpus)
    memory_bytes: int = field(default_factory=process_tree.total_memory_bytes)
    slots: int = 0  #: jobs at a time; 0: as many as there are cores
    jobs_per_slot: int = 10_000  #: then the slot is replaced by a fresh one
    slot_age_seconds: float = 3600.0
    idle_seconds: float = 300.0  #: a warm slot without work is given up after this
    slot_growth_bytes: int = 1024**3  #: of resident memory, from one job to the next
    environments: Path | None = None
    preload: tuple[str, ...] = ()
    notes_limit: int = 10_000  #: notes not yet taken, beyond which jobs block
    notes_limit_bytes: int = 8 * 1024**2

    @property
    def slot_count(self) -> int:
        return self.slots or max(1, int(self.cpus))

    @property
    def lending_folder(self) -> Path:
        """For links to what other interpreters are lent."""
        return self.environments or Path(tempfile.gettempdir(), f"treadle-lent-{os.getuid()}")
