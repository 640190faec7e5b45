"""10,000 steps beside one another, durable; and the same a step for 100."""

import tempfile

import treadle
from benchmarks.timing import repeat, say
from treadle import pipeline, tool

MANY, FEW = 10_000, 100


@tool
def double(number: int) -> int:
    return 2 * number


@pipeline
def fan_out(width: int):
    return [double(number) for number in range(width)]


def main() -> None:
    with treadle.local(slots=2, data_dir=tempfile.mkdtemp()) as local:

        def run(width: int) -> None:
            done = local.run(fan_out, width=width)
            assert done.state == "completed", done.state

        few = min(repeat(lambda _: run(FEW), times=5, warm_ups=2)) / FEW
        many = repeat(lambda _: run(MANY), times=1, warm_ups=0)[0] / MANY
        say(many, to_few=many / few)


main()
