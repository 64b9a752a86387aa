"""A peer that speaks HTTP/2 by hand, as an attacker would: it acknowledges nothing that it is not told to."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_HEADERS, END_STREAM, ACK = 4, 1, 1
CANCEL, ENHANCE_YOUR_CALM = 8, 11
STREAM = "/heapfleet.v1.Ingest/Stream"


def frame(kind, stream=0, payload=b"", flags=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def text(value):
    value = value.encode()
    assert len(value) < 127
    return bytes([len(value)]) + value


def header(name, value):
    return b"\x00" + text(name) + text(value)


def remembered(name, value):
    """A header that is put into the peer's table, where it is b"\\xbe" until the next one is."""
    return b"\x40" + text(name) + text(value)


def call_headers(path=STREAM, more=b""):
    return b"\x83\x86" + header(":path", path) + header(":authority", "x") + header(
        "content-type", "application/grpc") + header("te", "trailers") + more


def open_call(stream, more=b""):
    return frame(HEADERS, stream, call_headers(more=more), END_HEADERS)


def many_calls(count, taken_back):
    """Calls in as few bytes as HTTP/2 has for them: their headers are in the table."""
    first = b"\x83\x86" + remembered(":path", STREAM) + remembered(":authority", "x") + remembered(
        "content-type", "application/grpc") + remembered("te", "trailers")
    out = bytearray()
    for i in range(count):
        stream = 2 * i + 1
        out += frame(HEADERS, stream, first if i == 0 else b"\x83\x86\xc1\xc0\xbf\xbe", END_HEADERS)
        if taken_back:
            out += frame(RST, stream, struct.pack(">I", CANCEL))
    return bytes(out)


def envelope(stream, message):
    data = message.SerializeToString()
    return frame(DATA, stream, b"\x00" + struct.pack(">I", len(data)) + data)


def code_of(payload):
    """The error code of a RST_STREAM or GOAWAY."""
    return int.from_bytes(payload[:4] if len(payload) == 4 else payload[4:8], "big")


def statuses(frames):
    """Each grpc-status that is spelled in full; on one connection gRPC does that once for each."""
    found = []
    for kind, payload in frames:
        at = payload.find(b"grpc-status") if kind == HEADERS else -1
        if at >= 0:
            size = payload[at + 11]
            found.append(int(payload[at + 12:at + 12 + size]))
    return found


class Peer:
    """Connects; what follows goes over the connection as it is."""

    def __init__(self, address, seconds=20):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), seconds)
        self.socket.settimeout(seconds)
        self.data = b""

    def begin(self, acknowledges=True):
        """What is acknowledged before it was said is not taken for acknowledged."""
        self.send(PREFACE + frame(SETTINGS))
        if acknowledges:
            self.read_until(lambda kind, payload: kind == SETTINGS and payload)
            self.send(frame(SETTINGS, flags=ACK))
        return self

    def send(self, data):
        self.socket.sendall(data)

    def send_until_closed(self, data, times=1):
        """How often it went out before the other side hung up, or stopped to read."""
        for i in range(times):
            try:
                self.socket.sendall(data)
            except OSError:
                return i
        return times

    def _take_frames(self):
        while len(self.data) >= 9:
            size = int.from_bytes(self.data[:3], "big")
            if len(self.data) < 9 + size:
                return
            kind, payload, self.data = self.data[3], self.data[9:9 + size], self.data[9 + size:]
            yield kind, payload

    def read_until(self, is_enough, seconds=20):
        """([(kind, payload)], end). `end`: "enough", or "closed", "reset" or "silent" before that was seen."""
        self.socket.settimeout(seconds)
        frames = []
        while True:
            for one in self._take_frames():
                frames.append(one)
                if is_enough(*one):
                    return frames, "enough"
            try:
                chunk = self.socket.recv(1 << 20)
            except TimeoutError:
                return frames, "silent"
            except OSError:
                return frames, "reset"
            if not chunk:
                return frames, "closed"
            self.data += chunk

    def read_to_end(self, seconds=20):
        return self.read_until(lambda kind, payload: False, seconds)

    def read_status(self, seconds=20):
        """The first grpc-status that comes, or how it ended without."""
        frames, end = self.read_until(lambda kind, payload: kind == HEADERS and b"grpc-status" in payload,
                                      seconds)
        return statuses(frames)[0] if end == "enough" else end

    def close(self):
        self.socket.close()
