"""A pipeline file of 1,000 steps, read and checked: scripts, functions, inputs, templates."""

import tempfile
from pathlib import Path

from benchmarks.timing import repeat, say_median
from treadle.formats import native

STEPS, FILES = 1_000, 20
SCRIPT = "import treadle\n\nfor name, value in treadle.inputs.items():\n    print(name, value)\n"
MODULE = """
from treadle import tool


@tool(cpus=2, outputs=["table", "report"])
def work(data=None, other=(), name="", size=0.0, fold=0):
    return data, other
"""


def step(number: int) -> str:
    """Of four: three scripts, a function. Each takes the results of two before it."""
    lines = [f"  step_{number}:"]
    is_function = number % 4 == 3
    part = number // 4 % FILES
    lines.append(f"    function: module_{part}:work" if is_function else f"    script: s{part}.py")
    if number:
        before, further = f"step_{number - 1}.table", f"step_{max(0, number - 7)}.report"
        lines.append(f"    inputs: {{data: {before}, other: [{further}]}}")
    lines.append(
        f"    parameters: {{name: '${{dataset}}', size: '${{test_size}}', fold: {number}}}"
    )
    if not is_function:
        lines += ["    outputs: [table, report]", "    args: [--out, '${outputs.report}', --fast]"]
    lines += ["    memory: 1GB", "    timeout: 10m", "    retries: 2", "    env: {LEVEL: info}"]
    return "\n".join(lines)


def write(folder: Path) -> Path:
    for number in range(FILES):
        (folder / f"s{number}.py").write_text(SCRIPT * 10)
        (folder / f"module_{number}.py").write_text(MODULE)
    head = "name: large\nparameters: {dataset: wine, test_size: 0.25}\nsteps:\n"
    file = folder / "treadle.yaml"
    file.write_text(head + "\n".join(step(number) for number in range(STEPS)) + "\n")
    return file


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = native.Place(file=write(Path(folder)))

        def load(_: int) -> None:
            loaded = native.load(place)
            assert len(loaded.pipeline.steps) == STEPS

        say_median(repeat(load, times=10, warm_ups=1))


if __name__ == "__main__":
    main()
