"""Bytes of output into whole lines."""


class Lines:
    """Collects the bytes of one log; hands out whole lines as text."""

    def __init__(self) -> None:
        self.offset = 0  #: bytes taken so far
        self._rest = b""

    def take(self, data: bytes) -> list[str]:
        """The lines that are whole now."""
        self.offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]

    def end(self) -> list[str]:
        """What is left, a line without its end."""
        rest, self._rest = self._rest, b""
        return [rest.decode("utf-8", "replace")] if rest else []
