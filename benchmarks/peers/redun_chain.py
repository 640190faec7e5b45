"""redun: a chain of 100 tasks, recorded in an SQLite file. Each repeat has new arguments."""

import logging
import tempfile

from redun import Scheduler, task
from redun.config import Config

from benchmarks.timing import repeat, say_median

LENGTH = 100
redun_namespace = "benchmark"
logging.getLogger("redun").setLevel(logging.WARNING)


@task()
def add_one(number: int) -> int:
    return number + 1


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Config({"backend": {"db_uri": f"sqlite:///{folder}/redun.db"}})
        scheduler = Scheduler(config=config)
        scheduler.load()

        def run(number: int) -> None:
            start = number * 1000  # redun would serve a result that it has
            expression = start
            for _ in range(LENGTH):
                expression = add_one(expression)
            assert scheduler.run(expression) == start + LENGTH

        say_median(repeat(run, times=5, warm_ups=1))


main()
