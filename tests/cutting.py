"""A proxy on the way to a server, which breaks connections when it is told to."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on between a port of its own and a server.

    cut(): break all connections now. swallow(): let the next request through, and break off instead
    of its answer. cut_after: break each of the next connections after so many bytes of answers.
    cut_behind: break where an answer holds these bytes, and let nobody in until it is empty again.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._target = (parts.hostname, parts.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._swallowing = threading.Event()
        self.cut_after: list[int] = []
        self.cut_behind = b""
        self.shut = threading.Event()  #: since it broke behind these bytes
        self.cuts = 0
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def aim(self, url: str) -> None:
        """At another server, from the next connection on."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._target = (parts.hostname, parts.port)

    def cut(self) -> None:
        for pair in list(self._pairs):
            self._break(pair)

    def swallow(self) -> None:
        self._swallowing.set()

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self.shut.is_set() and self.cut_behind:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(self._target)
                except OSError:
                    near.close()
                    continue
                pair = (near, far)
                self._pairs.append(pair)
                for way in (self._pass_requests, self._pass_answers):
                    threading.Thread(target=way, args=(pair,), daemon=True).start()

    def _pass_requests(self, pair: tuple[socket.socket, socket.socket]) -> None:
        near, far = pair
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)
        self._break(pair, counts=False)

    def _pass_answers(self, pair: tuple[socket.socket, socket.socket]) -> None:
        near, far = pair
        passed = 0
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                if self._swallowing.is_set():
                    self._swallowing.clear()
                    return self._break(pair)
                most = self.cut_after[0] - passed if self.cut_after else len(data)
                near.sendall(data[: max(0, most)])
                passed += len(data)
                if self.cut_behind and self.cut_behind in data:
                    self.shut.set()
                    return self._break(pair)
                if most < len(data):
                    self.cut_after.pop(0)
                    return self._break(pair)
        self._break(pair, counts=False)

    def _break(self, pair: tuple[socket.socket, socket.socket], *, counts: bool = True) -> None:
        if pair in self._pairs:
            self._pairs.remove(pair)
            self.cuts += counts
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextlib.contextmanager
def proxy_to(url: str) -> Iterator[Proxy]:
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
