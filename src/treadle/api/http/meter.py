"""What is counted of requests, and the line that the server's log has of each."""

import logging
import time
from collections import Counter

from treadle.api.http.exchange import Exchange
from treadle.model.records import OWNER
from treadle.scheduler.tally import Histogram

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0)  #: seconds
log = logging.getLogger("treadle.access")


class Meter:
    """Requests of one house, since it was opened."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, int]] = Counter()  #: by operation and status
        self.seconds: dict[str, Histogram] = {}  #: by operation, until the answer began
        self.bytes_in: Counter[str] = Counter()  #: of request bodies, by operation
        self.bytes_out: Counter[str] = Counter()  #: of answers' bodies, by operation

    def tell(self, exchange: Exchange) -> None:
        """A request has ended. What writes or is refused is told at info, all else at debug."""
        operation = exchange.operation.name if exchange.operation is not None else "none"
        self.answered[operation, exchange.status] += 1
        if exchange.status:
            if operation not in self.seconds:
                self.seconds[operation] = Histogram(LATENCIES)
            self.seconds[operation].add(exchange.answered_at - exchange.began_at)
        if exchange.bytes_in:
            self.bytes_in[operation] += exchange.bytes_in
        if exchange.bytes_out:
            self.bytes_out[operation] += exchange.bytes_out
        weighs = exchange.status >= 400 or (exchange.operation and exchange.operation.writes)
        level = logging.INFO if weighs else logging.DEBUG
        if log.isEnabledFor(level):
            _write_line(exchange, operation, level)


def _write_line(exchange: Exchange, operation: str, level: int) -> None:
    took = time.perf_counter() - exchange.began_at
    user = OWNER if exchange.trusted else exchange.token.user if exchange.token else ""
    log.log(
        level,
        "%s %s %s",
        exchange.method,
        exchange.path[:500],
        exchange.status or "cut off",
        extra={
            "operation": operation,
            "status": exchange.status,
            "ms": round(took * 1000, 2),
            "user": user if exchange.admitted else "",
            "address": exchange.address,
        },
    )
