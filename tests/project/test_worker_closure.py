"""What a worker process imports needs only the standard library, cloudpickle and blake3."""

import importlib.util
import subprocess
import sys

import pytest

ALLOWED = {"treadle", "cloudpickle", "blake3"}

GUARDED = """
import sys
from importlib.abc import MetaPathFinder

class Guard(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ALLOWED:
            raise ModuleNotFoundError(f"{name} is not there in a bare environment", name=name)

sys.meta_path.insert(0, Guard())
for module in MODULES:
    __import__(module)
print("bare enough")
"""

WORKER = ["treadle", "treadle.step", "treadle.runtime.perform", "treadle.codecs"]
SLOT = ["treadle.engine.local.fork_server", "treadle.engine.local.slot"]


def there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("modules", [WORKER, SLOT], ids=["runtime", "slot"])
def test_a_worker_starts_in_a_bare_environment(modules: list[str]) -> None:
    assert all(there(module) for module in modules)
    script = f"ALLOWED = {ALLOWED!r}\nMODULES = {modules!r}\n{GUARDED}"

    # -S would hide cloudpickle and blake3 too; the guard hides all the rest.
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stderr == ""
    assert done.stdout == "bare enough\n"


def test_the_model_and_the_errors_need_the_standard_library_alone() -> None:
    modules = ["errors", "interfaces", "step", "model.records", "model.wire", "model.orders"]
    modules += ["script_job", "codecs", "runtime.as_main"]
    script = f"import sys; sys.path.insert(0, {'src'!r})\n" + "".join(
        f"import treadle.{module}\n" for module in modules
    )

    # -S: no site-packages at all.
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True)

    assert done.stderr == ""
