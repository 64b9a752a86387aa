"""Peers that mean harm, or are broken. After each: the collector's memory is bounded, an honest stream
beside it never noticed, and the attacker was told, or cut off.

One collector takes them all, with limits small enough to be reached in a moment."""
import gzip
import os
import resource
import socket
import struct
import threading
import time

import grpc
import pytest

from agent_client import Process, Stream, ingest, varint
from collector_process import Collector

CODE = grpc.StatusCode
MB = 1 << 20
RSS_GROWTH_MAX = 192 * MB  # above what the collector took before the first attack
OPTIONS = ["--max-connections", "150", "--max-streams-per-connection", "64",
           "--handshake-timeout", "1s", "--max-streams-per-peer", "500",
           "--max-network-memory", "64M"]


def rss(collector):
    for line in open(f"/proc/{collector.child.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


class Honest:
    """An agent that sends a snapshot now and then, and must always be acknowledged."""

    def __init__(self, address):
        self.stream, self.process = Stream(address), Process(1, service="honest")
        self.sequence = int(time.time() * 1000) * 1024
        self.stream.wait_welcome()
        self.process.announce(self.stream)

    def check(self):
        self.sequence += 1
        self.process.values = [(self.sequence % 1000, 56), (1, 60)]
        self.stream.outgoing.put(self.process.snapshot(self.sequence))
        self.stream.wait_ack(self.sequence)
        assert not self.stream.refused


@pytest.fixture(scope="module")
def stage():
    with Collector(options=OPTIONS) as collector:
        honest = Honest(collector.address)
        honest.check()
        yield collector, honest, rss(collector)


@pytest.fixture
def collector(stage):
    """What must hold after every attack."""
    running, honest, before = stage
    yield running
    honest.check()
    assert running.child.poll() is None
    deadline = time.monotonic() + 30
    while rss(running) - before > RSS_GROWTH_MAX:  # it is given back within seconds
        assert time.monotonic() < deadline, rss(running)
        time.sleep(0.1)
    newcomer = Stream(running.address)
    newcomer.wait_welcome()
    newcomer.close()


def connect(collector, seconds=20):
    host, port = collector.address.split(":")
    peer = socket.create_connection((host, int(port)), seconds)
    peer.settimeout(seconds)
    return peer


# ---- raw HTTP/2 --------------------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_HEADERS, END_STREAM, ACK = 4, 1, 1


def frame(kind, stream=0, payload=b"", flags=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def text(value):
    value = value.encode()
    assert len(value) < 127
    return bytes([len(value)]) + value


def header(name, value):
    return b"\x00" + text(name) + text(value)


def call_headers(path="/heapfleet.v1.Ingest/Stream", more=b""):
    return b"\x83\x86" + header(":path", path) + header(":authority", "x") + header(
        "content-type", "application/grpc") + header("te", "trailers") + more


def begin(collector):
    peer = connect(collector)
    peer.sendall(PREFACE + frame(SETTINGS))
    return peer


def read_frames(peer):
    """Until the peer closes: [(kind, payload)]."""
    data, found = b"", []
    while True:
        try:
            chunk = peer.recv(65536)
        except OSError:  # reset, closed by us, or nothing more comes
            return found
        if not chunk:
            return found
        data += chunk
        while len(data) >= 9:
            size = int.from_bytes(data[:3], "big")
            if len(data) < 9 + size:
                break
            found.append((data[3], data[9:9 + size]))
            data = data[9 + size:]


def send_until_closed(peer, data, times):
    """How many went out before the collector hung up."""
    for i in range(times):
        try:
            peer.sendall(data)
        except OSError:
            return i
    return times


# ---- messages ----------------------------------------------------------------------------------

def raw_stream(collector, payload, path="/heapfleet.v1.Ingest/Stream", options=()):
    """What becomes of a stream whose first message is `payload`."""
    with grpc.insecure_channel(collector.address, [("grpc.use_local_subchannel_pool", 1),
                                                   ("grpc.max_send_message_length", -1),
                                                   *options]) as channel:
        call = channel.stream_unary(path, request_serializer=bytes, response_deserializer=bytes)
        try:
            call(iter([payload]), timeout=20)
            return CODE.OK, ""
        except grpc.RpcError as error:
            return error.code(), error.details()


def length(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def test_a_message_above_the_limit(collector):
    code, _ = raw_stream(collector, b"\x00" * (8 * MB))
    assert code is CODE.RESOURCE_EXHAUSTED


def empty_attributes():
    return length(3, b"\x7a\x00" * (120 * 1024))  # process_started, 120 Ki empty attributes


def unknown_fields():
    return b"".join(length(9999, b"x") for _ in range(40 * 1024))


def nested():
    message = b""
    for _ in range(20000):
        message = length(3, message[:100 * 1024])
    return message


def garbage():
    return os.urandom(200 * 1024)


@pytest.mark.parametrize("make", [empty_attributes, unknown_fields, nested, garbage])
def test_messages_that_unpack_to_more_than_they_are(collector, make):
    code, details = raw_stream(collector, make())
    assert code in (CODE.INVALID_ARGUMENT, CODE.RESOURCE_EXHAUSTED,
                    CODE.FAILED_PRECONDITION), (code, details)
    assert details


def test_a_gzip_bomb(collector):
    bomb = gzip.compress(b"\x00" * (64 * MB), 1)
    peer = begin(collector)
    peer.sendall(frame(HEADERS, 1, call_headers(more=header("grpc-encoding", "gzip")), END_HEADERS))
    peer.sendall(frame(DATA, 1, b"\x01" + struct.pack(">I", len(bomb)) + bomb[:16000]))
    deadline = time.monotonic() + 20
    seen = b""
    while b"grpc-status" not in seen and time.monotonic() < deadline:
        seen += peer.recv(65536)
    assert b"grpc-status" in seen
    peer.close()


def test_a_method_that_nobody_serves(collector):
    assert raw_stream(collector, b"", "/no.Such/Method")[0] is CODE.UNIMPLEMENTED


def test_a_peer_that_does_not_read(collector):
    """Refusals by the thousand, none of them read: the window fills, then the collector's patience."""
    peer = begin(collector)
    peer.sendall(frame(HEADERS, 1, call_headers(), END_HEADERS))

    def envelope(message):
        data = message.SerializeToString()
        return frame(DATA, 1, b"\x00" + struct.pack(">I", len(data)) + data)

    peer.sendall(envelope(ingest.AgentMessage(hello=ingest.Hello(
        protocol=1, agent_id=os.urandom(16)))))
    time.sleep(0.3)
    bad = b"".join(envelope(ingest.AgentMessage(
        sequence=i + 1, snapshot=ingest.Snapshot(process=7, body=b"x"))) for i in range(100))
    peer.settimeout(0.5)
    send_until_closed(peer, bad, 2000)  # blocks or is closed long before that
    peer.close()


# ---- connections -------------------------------------------------------------------------------

def test_more_connections_than_allowed(collector):
    peers = []
    refused = 0
    for _ in range(400):
        try:
            peers.append(connect(collector))
        except OSError:
            refused += 1
    deadline = time.monotonic() + 20
    closed = 0
    while closed < 200 and time.monotonic() < deadline:
        closed = 0
        for peer in peers:
            peer.setblocking(False)
            try:
                while True:
                    if not peer.recv(65536):
                        closed += 1
                        break
            except BlockingIOError:
                pass
            except OSError:
                closed += 1
        time.sleep(0.05)
    assert closed >= 200
    for peer in peers:
        peer.close()


def test_slow_starters_are_cut_off(collector):
    silent, slow = connect(collector), connect(collector)
    began = time.monotonic()
    try:
        for byte in PREFACE:
            slow.sendall(bytes([byte]))
            time.sleep(0.1)
    except OSError:
        pass
    for peer in (silent, slow):
        read_frames(peer)  # returns when it is closed
        peer.close()
    assert time.monotonic() - began < 20


def test_no_http_at_all(collector):
    for opening in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4096), b"\x16\x03\x01\x02\x00"):
        peer = connect(collector)
        peer.sendall(opening)
        read_frames(peer)
        peer.close()


# ---- HTTP/2 ------------------------------------------------------------------------------------

def test_rapid_reset(collector):
    """Calls that are taken back at once do not count as open ones. gRPC 1.51 knows no remedy."""
    peer = begin(collector)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(read_frames(peer)), daemon=True)
    reader.start()
    for i in range(30000):
        stream = 2 * i + 1
        try:
            peer.sendall(frame(HEADERS, stream, call_headers(), END_HEADERS) +
                         frame(RST, stream, struct.pack(">I", 8)))
        except OSError:
            break
    reader.join(20)
    assert not reader.is_alive(), "the connection was not cut"
    peer.close()


def test_a_flood_of_pings(collector):
    peer = begin(collector)
    result = []
    reader = threading.Thread(target=lambda: result.extend(read_frames(peer)), daemon=True)
    reader.start()
    send_until_closed(peer, frame(PING, payload=b"12345678") * 100, 200)
    reader.join(20)
    peer.close()
    assert any(kind == GOAWAY and b"too_many_pings" in payload for kind, payload in result)


def test_headers_without_end(collector):
    """A bomb: one entry of the table named again and again; then frames that never end."""
    peer = begin(collector)
    entry = b"\x40" + text("x-bomb") + b"\x7e" + b"v" * 126
    peer.sendall(frame(HEADERS, 1, call_headers(more=entry + b"\xbe" * 8000), END_HEADERS))
    peer.settimeout(2)
    read_frames(peer)
    peer.close()
    peer = begin(collector)
    peer.sendall(frame(HEADERS, 1, call_headers()))
    send_until_closed(peer, frame(CONTINUATION, 1, header("x-filler", "v" * 100) * 100), 2000)
    peer.close()


def test_settings_and_empty_frames(collector):
    for data in (frame(SETTINGS), frame(SETTINGS, payload=struct.pack(">HI", 4, 0x7fffffff)),
                 frame(WINDOW, payload=struct.pack(">I", 0x7fffffff)), frame(DATA, 1),
                 frame(200, payload=b"x" * 100)):
        peer = begin(collector)
        threading.Thread(target=read_frames, args=(peer,), daemon=True).start()
        send_until_closed(peer, data * 50, 200)
        peer.close()


def test_more_streams_than_allowed_wait_and_go(collector):
    peer = begin(collector)
    for i in range(200):
        try:
            peer.sendall(frame(HEADERS, 2 * i + 1, call_headers(), END_HEADERS))
        except OSError:
            break
    peer.settimeout(1)
    read_frames(peer)
    peer.close()


# ---- descriptors -------------------------------------------------------------------------------

def test_no_descriptor_left():
    """The table is full of idle connections; when they go, the listener is still there."""
    with Collector(options=["--handshake-timeout", "10m"]) as collector:
        honest = Honest(collector.address)
        honest.check()
        used = len(os.listdir(f"/proc/{collector.child.pid}/fd"))
        resource.prlimit(collector.child.pid, resource.RLIMIT_NOFILE, (used + 20, used + 20))
        peers = [connect(collector) for _ in range(80)]
        time.sleep(0.5)
        honest.check()
        for peer in peers:
            peer.close()
        time.sleep(0.2)
        newcomer = Stream(collector.address)
        newcomer.wait_welcome()
        newcomer.close()
        honest.check()
