"""Scratch directories: each job's own, kept across its attempts, gone when the job has ended."""

import asyncio
import os
from collections.abc import Iterable

from treadle.storage.trees import remove_tree


def clear(scratch: str, job_ids: Iterable[str]) -> None:
    """Remove those of these jobs, in another thread. What is cut short is left to `treadle gc`."""
    folders = [f"{scratch}/{job_id}" for job_id in job_ids]
    if there := [folder for folder in folders if os.path.isdir(folder)]:
        asyncio.get_running_loop().run_in_executor(None, _remove, there)


def _remove(folders: list[str]) -> None:
    for folder in folders:
        remove_tree(folder)
