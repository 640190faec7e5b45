"""What a script step costs over bare `python script.py`: `script_step.py STATEMENT [MODULE]`.

The script is that one statement. Steps of a chain, each from the end of the one before to its own,
and bare runs of the same file, started as a shell starts them; the medians are compared. MODULE is
preloaded. The result may be negative: a script step is a fork of an interpreter that has started.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median

import treadle
from benchmarks.timing import repeat, say

STEPS = 40


def main(statement: str, *preload: str) -> None:
    folder = Path(tempfile.mkdtemp())
    script = folder / "step.py"
    script.write_text(f"{statement}\n")
    (folder / "treadle.json").write_text(json.dumps(pipeline()))
    subprocess.run([sys.executable, script], check=True)  # warms the file cache
    with treadle.local(slots=2, data_dir=folder / "data", preload=preload) as local:
        local.run(folder / "treadle.json")
        ours = []
        for _ in range(3):
            run = local.run(folder / "treadle.json").raise_for_failure()
            ended = sorted(datetime_of(job.ended_at) for job in run.jobs)
            ours += [(b - a).total_seconds() for a, b in itertools.pairwise(ended)]
    bare = repeat(lambda _: subprocess.run([sys.executable, script], check=True), times=20)
    say(median(ours) - median(bare), ours, step=median(ours), bare=median(bare))


def pipeline() -> dict[str, object]:
    """A chain of steps that pass nothing on."""
    steps: dict[str, object] = {"s0": {"script": "step.py"}}
    for number in range(1, STEPS):
        steps[f"s{number}"] = {"script": "step.py", "after": [f"s{number - 1}"]}
    return {"name": "chain", "steps": steps}


def datetime_of(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment


main(*sys.argv[1:])
