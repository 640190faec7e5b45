"""The owner's ends of a slot's descriptors: a line for orders and frames, two pipes of output."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from treadle.engine.local.frames import Frames, pack
from treadle.model.orders import Order

_READ_BYTES = 256 * 1024
_PIPE_BYTES = 64 * 1024
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


class Garbled(Exception):
    """What came up the line is no frame of ours: the job's code wrote into it."""


class SlotLine:
    """Owner's side of a slot. Non-blocking; never unpickles what it reads.

    on_frames, on_output and on_closed are called from the loop, with whole frames or raw bytes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        with contextlib.ExitStack() as opened:  # all of them, or none
            self._line, self._far_line = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.callback(self._line.close)
            opened.callback(self._far_line.close)
            self._out, self._far_out = _pipe(opened)
            self._err, self._far_err = _pipe(opened)
            opened.pop_all()
        for fd in (self._line.fileno(), self._out, self._err):
            os.set_blocking(fd, False)
        self._reader = Frames()
        self._unsent = b""
        self._readers: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {}
        self._paused = False

    @property
    def far_ends(self) -> list[int]:
        return [self._far_line.fileno(), self._far_out, self._far_err]

    def close_far_ends(self) -> None:
        """Once they were passed on: from now on the end of the slot's processes shows as EOF."""
        self._far_line.close()
        os.close(self._far_out)
        os.close(self._far_err)

    def listen(
        self,
        on_line: Callable[[], None],
        on_output: Callable[[int, Literal["out", "err"]], None],
    ) -> None:
        """Call back when there is something to read."""
        self._readers = {
            self._line.fileno(): (on_line, ()),
            self._out: (on_output, (self._out, "out")),
            self._err: (on_output, (self._err, "err")),
        }
        for fd, (callback, arguments) in self._readers.items():
            self._loop.add_reader(fd, callback, *arguments)

    def pause(self) -> None:
        if not self._paused:
            self._paused = True
            for fd in self._readers:
                self._loop.remove_reader(fd)

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            for fd, (callback, arguments) in self._readers.items():
                self._loop.add_reader(fd, callback, *arguments)

    def forget(self, fd: int) -> None:
        """Nothing more will come from this descriptor."""
        if self._readers.pop(fd, None) is not None and not self._paused:
            self._loop.remove_reader(fd)

    def forget_line(self) -> None:
        self.forget(self._line.fileno())

    def send(self, order: Order) -> bool:
        """Send the order down, in parts as the slot takes it; False if nobody is there."""
        return self._send_now(pack(_json(order)))

    def _send_now(self, data: bytes) -> bool:
        there, sent = True, 0
        try:
            sent = self._line.send(data)
        except BlockingIOError:
            pass
        except OSError:  # the slot is gone: its end is told by the fork server
            there, sent = False, len(data)
        waiting, self._unsent = bool(self._unsent), data[sent:]
        if self._unsent and not waiting:
            self._loop.add_writer(self._line.fileno(), self._send_rest)
        elif waiting and not self._unsent:
            self._loop.remove_writer(self._line.fileno())
        return there

    def _send_rest(self) -> None:
        self._send_now(self._unsent)

    def receive(self) -> list[Any] | None:
        """The frames that have come; None at the end of the line. Raises Garbled."""
        try:
            data = self._line.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        try:
            return [_decode(payload) for payload in self._reader.feed(data)]
        except (ValueError, msgspec.DecodeError) as error:
            raise Garbled from error

    def read_output(self, fd: int) -> bytes | None:
        """What was printed, b"" at the end, None if there is nothing now."""
        try:
            return os.read(fd, _PIPE_BYTES)
        except BlockingIOError:
            return None

    @property
    def pipes(self) -> tuple[tuple[int, Literal["out", "err"]], ...]:
        return (self._out, "out"), (self._err, "err")

    def close(self) -> None:
        if self._unsent:
            self._loop.remove_writer(self._line.fileno())
        self.pause()
        self._readers.clear()
        self._line.close()
        os.close(self._out)
        os.close(self._err)


def _json(order: Order) -> bytes:
    wire = order.to_wire()
    try:
        return _encode(wire)
    except OverflowError:  # an int of more than 64 bits
        return json.dumps(wire).encode()


def _pipe(opened: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe2(os.O_CLOEXEC)
    for fd in ends:
        opened.callback(os.close, fd)
    return ends
