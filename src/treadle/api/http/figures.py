"""What Prometheus is told: read at each scrape from what the house counts anyway."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

import treadle
from treadle.api.http.meter import Meter
from treadle.api.http.state import House
from treadle.model.states import JOB_ENDS, RUN_ENDS, JobState
from treadle.scheduler import Scheduler
from treadle.scheduler.tally import Histogram

UNDERWAY = (JobState.PREPARING, JobState.RUNNING, JobState.ABORTING)


def exposition(house: House) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(house))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class Figures(Collector):
    """All figures of a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        house = self._house
        version = GaugeMetricFamily("treadle_info", "Which version this is.", labels=["version"])
        version.add_metric([treadle.__version__], 1)
        yield version
        yield GaugeMetricFamily(
            "treadle_ready", "1 while the server takes new work.", int(house.life.phase == "ready")
        )
        yield GaugeMetricFamily("treadle_slots", "Jobs at a time.", house.slots)
        yield GaugeMetricFamily("treadle_slots_busy", "Slots that a job has.", house.busy())
        yield GaugeMetricFamily(
            "treadle_followers", "Streams of events and logs.", house.feeds.followers
        )
        yield GaugeMetricFamily(
            "treadle_ledger_bytes", "Size of the ledger's files.", house.ledger_bytes()
        )
        yield from _of_requests(house.meter)
        if house.scheduler is not None:
            yield from _of_jobs(house.scheduler)
            yield from _of_ends(house.scheduler)


def _of_jobs(scheduler: Scheduler) -> Iterator[Metric]:
    """Jobs that have not ended."""
    yield GaugeMetricFamily(
        "treadle_jobs_unended", "Jobs that have not ended.", scheduler.unended_jobs
    )
    yield GaugeMetricFamily(
        "treadle_queue_limit",
        "Jobs from which on new ones are refused.",
        scheduler.site.queue_limit,
    )
    queued = scheduler.ledger.read(lambda books: books.count_queued())
    counts = scheduler.jobs_underway()
    jobs = GaugeMetricFamily("treadle_jobs", "Jobs that could run or do.", labels=["state"])
    jobs.add_metric([JobState.QUEUED.value], sum(queued.values()))
    for state in UNDERWAY:
        jobs.add_metric([state.value], counts[state])
    yield jobs
    users = GaugeMetricFamily("treadle_queued_jobs", "Queued jobs by user.", labels=["user"])
    for user, count in queued.items():
        users.add_metric([user], count)
    yield users


def _of_ends(scheduler: Scheduler) -> Iterator[Metric]:
    tally = scheduler.tally
    runs = CounterMetricFamily("treadle_runs_ended", "Runs that have ended.", labels=["state"])
    for run_state in sorted(RUN_ENDS):
        runs.add_metric([run_state.value], tally.runs_ended[run_state])
    yield runs
    jobs = CounterMetricFamily("treadle_jobs_ended", "Jobs that have ended.", labels=["state"])
    for job_state in sorted(JOB_ENDS):
        jobs.add_metric([job_state.value], tally.jobs_ended[job_state])
    yield jobs
    took = HistogramMetricFamily("treadle_job_seconds", "How long the last attempts of jobs took.")
    took.add_metric([], _buckets(tally.job_seconds), tally.job_seconds.sum)
    yield took


def _of_requests(meter: Meter) -> Iterator[Metric]:
    answered = CounterMetricFamily(
        "treadle_requests", "Requests that have ended.", labels=["operation", "status"]
    )
    for (operation, status), count in meter.answered.items():
        answered.add_metric([operation, str(status)], count)
    yield answered
    took = HistogramMetricFamily(
        "treadle_request_seconds", "Until the answer began, with any wait asked for.",
        labels=["operation"],
    )  # fmt: skip
    for operation, seconds in meter.seconds.items():
        took.add_metric([operation], _buckets(seconds), seconds.sum)
    yield took
    received = CounterMetricFamily(
        "treadle_received_bytes", "Bodies of requests.", labels=["operation"]
    )
    for operation, size in meter.bytes_in.items():
        received.add_metric([operation], size)
    yield received
    sent = CounterMetricFamily("treadle_sent_bytes", "Bodies of answers.", labels=["operation"])
    for operation, size in meter.bytes_out.items():
        sent.add_metric([operation], size)
    yield sent


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*map(str, histogram.bounds), "+Inf"]
    return list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))
