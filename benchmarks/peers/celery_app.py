"""The Celery application of the comparison: Redis as broker and as store of results."""

import os

from celery import Celery

URL = os.environ["BENCHMARK_REDIS"]
app = Celery("celery_app", broker=URL, backend=URL)
app.conf.update(
    worker_hijack_root_logger=False,
    task_acks_late=True,  # a task survives its worker, as ours does
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


@app.task
def add_one(number):
    return number + 1
