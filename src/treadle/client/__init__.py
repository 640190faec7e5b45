"""The Python client: the same over a Unix socket, in process, and over the network.

Nothing here sees the server side. httpx is loaded at the first request.
"""

from treadle.client.client import Client
from treadle.client.runs import Run
from treadle.client.steps import StepHandle

__all__ = ["Client", "Run", "StepHandle"]
