"""Slots without work that are kept warm for more of the same."""

from collections import OrderedDict
from typing import Generic, TypeVar

S = TypeVar("S")
Key = tuple[str, str, float]  #: (environment or kind, code, cpus): what a slot may serve


class WarmSlots(Generic[S]):
    """Idle slots by key, the least recently used first to go."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._slots: OrderedDict[S, tuple[Key, float]] = OrderedDict()  # -> (key, idle since)

    def __len__(self) -> int:
        return len(self._slots)

    def take(self, key: Key) -> S | None:
        """The slot of this key that was used last, or None."""
        for slot in reversed(self._slots):
            if self._slots[slot][0] == key:
                del self._slots[slot]
                return slot
        return None

    def add(self, slot: S, key: Key, now: float) -> S | None:
        """Keep the slot; return one to give up where there are too many."""
        self._slots[slot] = key, now
        return self._slots.popitem(last=False)[0] if len(self._slots) > self._limit else None

    def idle_since(self, moment: float) -> list[S]:
        """Slots idle since before the moment, no longer kept."""
        found = [slot for slot, (_, since) in self._slots.items() if since < moment]
        for slot in found:
            del self._slots[slot]
        return found

    def discard(self, slot: S) -> None:
        self._slots.pop(slot, None)

    def clear(self) -> None:
        self._slots.clear()
