"""What runs next, and what came of it."""

from treadle.scheduler.dispatch import Site
from treadle.scheduler.scheduler import Scheduler, Stores
from treadle.scheduler.watch import Change, Listener, Subscription, Watch

__all__ = ["Change", "Listener", "Scheduler", "Site", "Stores", "Subscription", "Watch"]
