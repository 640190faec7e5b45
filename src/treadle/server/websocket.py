"""WebSockets by uvicorn's protocol, where only the server has something to say.

What a client says is thrown away as it comes: nothing of it waits in memory, however much it is
and in however many pieces. A client that reads nothing is not listened to either, or answers to
its pings would pile up.
"""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame


class WebSocket(WebSocketsSansIOProtocol):
    """One connection, from its upgrade on."""

    def handle_text(self, event: Frame) -> None:
        """Nobody waits for it."""

    handle_bytes = handle_cont = handle_text

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.transport.resume_reading()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        if not self.writable.is_set():  # it does not read: the last word would wait for ever
            self.transport.abort()
