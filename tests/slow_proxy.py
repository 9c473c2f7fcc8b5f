"""A TCP proxy that limits the bandwidth, adds latency, or stops passing bytes."""

import contextlib
import queue
import socket
import threading
import time

CHUNK_BYTES = 1_024


class SlowProxy:
    """Forwards connections to a server, slowly or with a delay.

    Attributes
    ----------
    port : int
        The port for the client.
    delay_s : float
        The latency added in both directions.
    broken : bool
        Whether no byte passes, while all connections stay open.
    """

    def __init__(self, port, *, bytes_per_s=None, delay_s=0.0):
        self.delay_s = delay_s
        self.broken = False
        self._stalled = set()
        self._bytes_per_s = bytes_per_s
        self._there = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets = [self._listener]

    def __enter__(self):
        threading.Thread(target=self._connect, daemon=True).start()
        return self

    def __exit__(self, *_):
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def stall(self):
        """Pass no more bytes of the connections so far, which stay open; later ones work."""
        self._stalled.update(self._sockets)

    def cut(self):
        """Close the connections so far; later ones work."""
        for each in self._sockets[1:]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _connect(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket()
                self._sockets += [client, server]
                if self._bytes_per_s is not None:
                    # A small buffer, so that the server notices the bandwidth.
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                try:
                    server.connect(("127.0.0.1", self._there))
                except ConnectionRefusedError:
                    # The server is away for a moment.
                    client.close()
                    continue
                for ends in ((client, server, None), (server, client, self._bytes_per_s)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source, sink, bytes_per_s):
        under_way = queue.SimpleQueue()
        threading.Thread(target=self._deliver, args=(under_way, sink), daemon=True).start()
        data = b"the first"
        while data:
            data = b""
            with contextlib.suppress(OSError):
                data = source.recv(CHUNK_BYTES if bytes_per_s else 65_536)
            if bytes_per_s:
                time.sleep(len(data) / bytes_per_s)
            under_way.put((time.monotonic() + self.delay_s, data))

    def _deliver(self, under_way, sink):
        """Send each chunk when it is due, until the connection is closed."""
        with contextlib.suppress(OSError):
            while True:
                due_s, data = under_way.get()
                time.sleep(max(0.0, due_s - time.monotonic()))
                if self.broken or sink in self._stalled:
                    continue
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
