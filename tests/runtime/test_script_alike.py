"""A Python script in a slot prints, and ends, as it does with `python FILE` alone."""

import subprocess
import sys

import pytest

from engine.workbench import Floor, Story
from runtime.scripts import ScriptBench

ALIKE = {
    "an exception in depth": """
def f(n):
    return f(n - 1) if n else {}["x"]
try:
    f(2)
except KeyError as error:
    raise RuntimeError("told") from error
""",
    "recursion": "def f():\n    return f()\nf()\n",
    "a syntax error": "x = 1\ndef f(:\n    pass\n",
    "tabs": "if 1:\n\tx = 1\n        y = 2\n",
    "no end": "x = (1,\n",
    "bytes that are no text": b'x = "\xe4"\n',
    "a null byte": b"x = 1\0\n",
    "an unknown encoding": b"# -*- coding: nonsense -*-\nx = 1\n",
    "another encoding": b'# coding: latin-1\nraise ValueError("\xe4")\n',
    "a byte order mark": b'\xef\xbb\xbfraise ValueError("x")\n',
    "windows lines": b"def f():\r\n    raise ValueError(1)\r\nf()\r\n",
    "sys.exit(3)": "import sys\nsys.exit(3)",
    "sys.exit(None)": "import sys\nsys.exit()",
    "sys.exit(text)": "import sys\nprint('before')\nsys.exit('text')",
    "sys.exit(256 + 7)": "import sys\nsys.exit(263)",
    "an exit code of its own": "raise SystemExit((1, 2))",
    "os._exit": "import os\nos._exit(9)",
    "a hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[1], file=sys.stderr)\n1/0",
    "a broken hook": "import sys\ndef hook(*a):\n    1/0\nsys.excepthook = hook\n{}[1]",
    "an exception that cannot be shown": """
class E(Exception):
    def __str__(self):
        raise ValueError
raise E
""",
    "threads": """
import threading, time
def later():
    time.sleep(0.1)
    print("later")
threading.Thread(target=later).start()
print("sooner")
""",
    "a thread that fails": """
import threading
t = threading.Thread(target=lambda: 1/0, name="T")
t.start(); t.join()
""",
    "the end": """
import atexit, sys
class A:
    def __del__(self):
        print("del")
a = A()
atexit.register(print, "at exit", flush=True)
print("x", end="")
sys.stderr.write("y")
""",
    "groups": "raise ExceptionGroup('g', [ValueError(1), KeyError(2)])",
    "an interrupt": "raise KeyboardInterrupt",
    "pools": """
import multiprocessing as m, sys
def f(x): return x * x
if __name__ == "__main__":
    for kind in ("fork", "spawn"):
        with m.get_context(kind).Pool(2) as pool:
            print(pool.map(f, [1, 2, 3]))
            sys.stdout.flush()
""",
    "warnings": "import warnings\nwarnings.warn('w', DeprecationWarning)\n",
    "settings": "import sys\nprint(sys.flags.dev_mode, sys.flags.optimize, sys.orig_argv[1:])\n",
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> ScriptBench:
    return ScriptBench(tmp_path_factory.mktemp("alike"))


@pytest.fixture(scope="module")
def stories(bench: ScriptBench) -> dict[str, Story]:
    """What became of every script, one after the other in the same slots."""

    async def scene(floor: Floor) -> dict[str, Story]:
        told = {}
        for name, text in ALIKE.items():
            order = bench.script(text)
            floor.engine.start(order)
            told[name] = await floor.ended(order.attempt)
        return told

    return bench.play(scene)


@pytest.mark.parametrize("name", ALIKE)
def test_it_says_and_ends_the_same_as_with_python_alone(
    bench: ScriptBench, stories: dict[str, Story], name: str
) -> None:
    # Given what plain Python does with the file, where the snapshot lies
    digest = bench.script(ALIKE[name]).code.digest
    file = bench.folder / "snapshots" / digest / "work.py"
    alone = subprocess.run(
        [sys.executable, file], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )

    # Then the slot's child said the same, and ended in the same way
    story = stories[name]
    assert story.printed("out").decode() == alone.stdout.decode()
    assert story.printed("err").decode() == alone.stderr.decode()
    if alone.returncode == 0:
        assert story.report.outcome == "completed"
        return
    certificate = story.failure.certificate
    code = certificate.exit_code if certificate.signal is None else -certificate.signal
    assert code == alone.returncode
