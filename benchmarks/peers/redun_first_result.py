"""redun: from nothing to a first recorded result. The time is taken outside."""

import logging
import tempfile

from redun import Scheduler, task
from redun.config import Config

from benchmarks.timing import say

redun_namespace = "benchmark"
logging.getLogger("redun").setLevel(logging.WARNING)


@task()
def answer() -> int:
    return 42


with tempfile.TemporaryDirectory() as folder:
    config = Config({"backend": {"db_uri": f"sqlite:///{folder}/redun.db"}})
    scheduler = Scheduler(config=config)
    scheduler.load()
    say(scheduler.run(answer()))
