"""What signals ask of a server."""

import asyncio
import os
import signal
import time

ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ASKING_AT_ONCE = signal.SIGQUIT  #: as two of the others: those may come as one, when they are fast
SAME_SECONDS = 0.3  #: `timeout`, `make` and the like pass on a Ctrl-C that the terminal sent, too
AT_ONCE_CODE = 130  #: exit code of a server that was made to leave by a third signal


class Asked:
    """What signals ask for: `to_stop` after the first, `at_once` after the second, or SIGQUIT.

    The third ends the process where it stands, which loses nothing that was acknowledged.
    """

    def __init__(self) -> None:
        self.to_stop, self.at_once = asyncio.Event(), asyncio.Event()
        self._last = float("-inf")

    def listen(self) -> None:
        """From now on, signals count. Those ignored from outside (nohup) stay ignored."""
        loop = asyncio.get_running_loop()
        for number in ASKING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._ask)
        loop.add_signal_handler(ASKING_AT_ONCE, self._ask_at_once)

    def _ask(self) -> None:
        before, self._last = self._last, time.monotonic()
        if self._last - before < SAME_SECONDS:
            return
        if self.at_once.is_set():
            os._exit(AT_ONCE_CODE)
        (self.at_once if self.to_stop.is_set() else self.to_stop).set()

    def _ask_at_once(self) -> None:
        self.to_stop.set()
        self.at_once.set()
