"""A slot needs the standard library, cloudpickle and blake3, and nothing else."""

import subprocess
import sys

PROGRAM = """
import sys
before = set(sys.modules)
import treadle.engine.local.fork_server
names = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(name for name in names if name not in sys.stdlib_module_names))
"""


def test_the_fork_server_loads_nothing_else() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert set(ran.stdout.split()) <= {"treadle", "blake3", "cloudpickle"}
