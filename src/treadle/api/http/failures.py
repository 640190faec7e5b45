"""How often one address, or one token, may ask for what is refused."""

import ipaddress
import math
from collections import OrderedDict, deque

from treadle.errors import Busy
from treadle.interfaces import Clock

FAILURES, WINDOW_SECONDS = 10, 60.0
MOST_KEPT = 4096  #: addresses and tokens; the one that failed longest ago is forgotten first


class Failures:
    """Counts refused requests: after ten in a minute, the next ones are told to wait.

    This holds back what fails, never what succeeds: many users may share one address (NAT, a
    proxy), and one of them with a stale token must not lock out the others. Guessing gains
    nothing by it, as a secret of 256 bits is not found by guessing, fast or slow; the limit keeps
    what is refused from filling the audit log, where it would push out what matters.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, who: str) -> None:
        """One more of an address, or a token's id. Raises Busy if these were too many already."""
        now, network = self._clock.monotonic(), _network(who)
        times = self._times.setdefault(network, deque(maxlen=FAILURES))
        self._times.move_to_end(network)
        if len(self._times) > MOST_KEPT:
            self._times.popitem(last=False)
        left = times[0] + WINDOW_SECONDS - now if len(times) == FAILURES else 0.0
        if left > 0:
            raise Busy(
                "Too many of your requests were refused.",
                hint=f"Wait {math.ceil(left)} s, and send a token that may do what you ask.",
                retry_after_seconds=math.ceil(left),
            )
        times.append(now)


def _network(address: str) -> str:
    """Of IPv6 the first 64 bits: one host has as many addresses as it likes of the others.

    All else as it is.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or found.packed[:8].hex())
