"""A TCP balancer between agents and collectors that can be cut, frozen or slowed down, and reads along.

It shows what it carries to a ledger: each message of an agent before it is passed on, each of a
collector before it is. HTTP/2 is read as far as gRPC over plaintext needs it: DATA frames, in which
messages have five bytes before them.
"""
import random
import socket
import struct
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, PADDED = 0, 8


class Messages:
    """One direction of a connection: bytes in, (stream, message) out."""

    def __init__(self, skip):
        self.skip = skip
        self.bytes = b""
        self.streams = {}

    def feed(self, chunk):
        self.bytes += chunk
        if self.skip:
            cut = min(self.skip, len(self.bytes))
            self.skip -= cut
            self.bytes = self.bytes[cut:]
        while len(self.bytes) >= 9:
            size = int.from_bytes(self.bytes[:3], "big")
            if len(self.bytes) < 9 + size:
                return
            kind, flags = self.bytes[3], self.bytes[4]
            stream = int.from_bytes(self.bytes[5:9], "big") & 0x7FFFFFFF
            payload, self.bytes = self.bytes[9:9 + size], self.bytes[9 + size:]
            if kind == DATA:
                yield from self._data(stream, payload[1:-payload[0] or None] if flags & PADDED else payload)

    def _data(self, stream, payload):
        waiting = self.streams.get(stream, b"") + payload
        while len(waiting) >= 5 and len(waiting) >= 5 + struct.unpack(">I", waiting[1:5])[0]:
            size = struct.unpack(">I", waiting[1:5])[0]
            yield stream, waiting[5:5 + size]
            waiting = waiting[5 + size:]
        self.streams[stream] = waiting


class WireTap:
    """`backends`: addresses, of which each connection gets one that answers. `mode`: "pass", "cut",
    "frozen" (connections stand, nothing moves) or "slow"."""

    def __init__(self, backends, ledger, seed=0):
        self.backends = list(backends)
        self.ledger = ledger
        self.mode = "pass"
        self.random = random.Random(seed)
        self.pairs = set()
        self.ended = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _connect(self):
        for address in self.random.sample(self.backends, len(self.backends)):
            host, port = address.rsplit(":", 1)
            try:
                return socket.create_connection((host, int(port)), timeout=5)
            except OSError:
                continue
        return None

    def _accept(self):
        while not self.ended:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = None if self.mode == "cut" else self._connect()
            if server is None:
                client.close()
                continue
            server.settimeout(None)
            pair = (client, server)
            self.pairs.add(pair)
            talk = self.ledger.talk()
            for source, sink, messages, said in (
                    (client, server, Messages(len(PREFACE)), talk.agent_said),
                    (server, client, Messages(0), talk.collector_said)):
                threading.Thread(target=self._pump, args=(pair, source, sink, messages, said),
                                 daemon=True).start()

    def _hold(self, pair):
        """Until what was read may go on; False: the wire was cut."""
        while self.mode == "frozen" and pair in self.pairs:
            time.sleep(0.01)
        if self.mode == "slow":
            time.sleep(0.05)
        return pair in self.pairs

    def _pump(self, pair, source, sink, messages, said):
        try:
            while chunk := source.recv(65536):
                if not self._hold(pair):
                    break
                for stream, message in messages.feed(chunk):
                    said(stream, message)
                sink.sendall(chunk)
        except OSError:
            pass
        except Exception as error:  # what was said made no sense
            self.ledger.problems.append(f"on the wire: {error!r}")
        self._close(pair)

    def _close(self, pair):
        self.pairs.discard(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self):
        """Every connection, and those that come until the mode is another one."""
        self.mode = "cut"
        for pair in list(self.pairs):
            self._close(pair)

    def close(self):
        self.ended = True
        self.listener.close()
        self.cut()
