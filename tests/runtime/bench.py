"""Performs functions with the function runtime in this process, and listens."""

import dataclasses
from collections.abc import Callable
from typing import Any

from engine.workbench import Workbench
from treadle.model.orders import Order, Report
from treadle.model.records import Failure
from treadle.runtime.perform import perform
from treadle.storage.blobs import load_value


class Ear:
    """A channel that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def started(self) -> None:
        self.told.append(("started",))

    def metric(self, name: str, value: float, step: int | None) -> None:
        self.told.append(("metric", name, value, step))

    def progress(self, done: float, total: float | None) -> None:
        self.told.append(("progress", done, total))


class RuntimeBench(Workbench):
    def perform(self, function: Callable[..., Any] | str, *args: Any, **wanted: Any) -> Report:
        self.ear = Ear()
        return perform(self.order(function, *args, **wanted), self.ear)

    def perform_order(self, order: Order, **changes: Any) -> Report:
        self.ear = Ear()
        return perform(dataclasses.replace(order, **changes), self.ear)

    def result(self, function: Callable[..., Any] | str, *args: Any, **wanted: Any) -> Any:
        report = self.perform(function, *args, **wanted)
        assert report.outcome == "completed", report.failure
        return load_value(self.blobs, report.outputs["result"])

    def failure(self, function: Callable[..., Any] | str, *args: Any, **wanted: Any) -> Failure:
        report = self.perform(function, *args, **wanted)
        assert report.outcome == "failed"
        assert report.failure is not None
        return report.failure
