"""Peers that mean harm, or are broken. During each attack the collector's memory stays below a bound
and an honest stream beside it is acknowledged; the attacker is told, or cut off, as the test says.

One collector takes them all, with limits small enough to be reached in a moment."""
import gzip
import os
import pathlib
import resource
import struct
import threading
import time

import grpc
import pytest

import raw_http2 as http2
from agent_client import Process, Stream, ingest, varint
from raw_http2 import Peer
from watched_collector import Watched

CODE = grpc.StatusCode
MB = 1 << 20
PEAK_MAX = 64 * MB  # at any moment, above what the collector took before the attack
LEFT_MAX = 96 * MB  # a few seconds later, above what it took before the first one
STREAMS = 64
OPTIONS = ["--http", "127.0.0.1:0", "--batch-every", "10ms", "--max-connections", "150",
           "--max-streams-per-connection", str(STREAMS), "--handshake-timeout", "1s",
           "--max-streams-per-peer", "500", "--max-network-memory", "256M"]
CUT = 'heapfleet_collector_connections_total{result="cut"}'
REFUSED = 'heapfleet_collector_connections_total{result="refused"}'
PINGING = 'heapfleet_collector_connections_total{result="pinging"}'
MUTE = 'heapfleet_collector_connections_total{result="mute"}'
FULL = "heapfleet_collector_connections_full_total"


def calls_refused(reason):
    return f'heapfleet_collector_calls_refused_total{{reason="{reason}"}}'


def refusals(reason):
    return f'heapfleet_collector_refusals_total{{reason="{reason}"}}'


# ---- who stands beside ---------------------------------------------------------------------------

class Memory:
    """Of a process: what it takes, and what it has taken at most since it was asked to forget that."""

    def __init__(self, pid):
        self.folder = pathlib.Path(f"/proc/{pid}")

    def _read(self, name):
        for line in (self.folder / "status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name}")

    def now(self):
        return self._read("VmRSS")

    def peak(self):
        return self._read("VmHWM")

    def forget_peak(self):
        (self.folder / "clear_refs").write_text("5")


class Bystander:
    """An agent that sends a snapshot as soon as the one before is acknowledged, and on and on."""

    def __init__(self, address):
        self.stream, self.process = Stream(address), Process(1, service="honest")
        self.sequence = int(time.time() * 1000) * 1024
        self.stream.wait_welcome()
        self.process.announce(self.stream)
        self.rounds, self.failure, self.stopped = 0, None, False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopped:
                self.sequence += 1
                self.process.values = [(self.sequence % 1000, 56), (1, 60)]
                self.stream.outgoing.put(self.process.snapshot(self.sequence, self.rounds % 100 == 0))
                self.stream.wait_ack(self.sequence)
                assert not self.stream.refused
                self.rounds += 1
        except AssertionError as failure:
            self.failure = failure

    def wait_rounds(self, rounds, seconds=30):
        """Until so many more snapshots, the last of them sent from now on, are acknowledged."""
        wanted, deadline = self.rounds + rounds + 1, time.monotonic() + seconds
        while self.rounds < wanted:
            assert self.failure is None, str(self.failure)
            assert time.monotonic() < deadline, "nothing came"
            time.sleep(0.002)

    def stop(self):
        self.stopped = True
        self.thread.join(30)
        self.stream.close()


@pytest.fixture(scope="module")
def stage():
    with Watched(options=OPTIONS) as collector:
        bystander = Bystander(collector.address)
        bystander.wait_rounds(2)
        yield collector, bystander, Memory(collector.child.pid).now()
        bystander.stop()


class Attack:
    """What an attack has at hand. Its peers are there until it has been judged."""

    def __init__(self, collector):
        self.collector, self.address = collector, collector.address
        self.before = collector.metrics()
        self.peers = []
        self.peak_max = PEAK_MAX

    def connect(self):
        self.peers.append(Peer(self.address))
        return self.peers[-1]

    def begin(self, acknowledges=True):
        return self.connect().begin(acknowledges)

    def grown(self, series):
        return self.collector.metrics()[series] - self.before[series]

    def wait_grown(self, series, least):
        self.collector.wait_metric(series, self.before[series] + least)


@pytest.fixture
def attack(stage):
    """What must hold after every attack, and while its connections are still open."""
    collector, bystander, usual = stage
    memory = Memory(collector.child.pid)
    memory.forget_peak()
    before = memory.now()
    one = Attack(collector)
    yield one
    bystander.wait_rounds(2)
    peak = memory.peak() - before
    assert peak < one.peak_max, f"{peak // MB} MB more"
    for peer in one.peers:
        peer.close()
    deadline = time.monotonic() + 30
    while memory.now() - usual > LEFT_MAX:
        assert time.monotonic() < deadline, f"{(memory.now() - usual) // MB} MB are held"
        time.sleep(0.1)
    assert collector.child.poll() is None
    newcomer = Stream(collector.address)
    newcomer.wait_welcome()
    newcomer.close()


# ---- messages ------------------------------------------------------------------------------------

def raw_stream(address, payload, path=http2.STREAM, options=()):
    """What becomes of a stream whose first message is `payload`."""
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1),
                                         ("grpc.max_send_message_length", -1), *options]) as channel:
        call = channel.stream_unary(path, request_serializer=bytes, response_deserializer=bytes)
        try:
            call(iter([payload]), timeout=20)
            return CODE.OK, ""
        except grpc.RpcError as error:
            return error.code(), error.details()


def length(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def test_a_message_above_the_limit(attack):
    code, details = raw_stream(attack.address, b"\x00" * (8 * MB))
    assert code is CODE.RESOURCE_EXHAUSTED and "larger than max" in details
    attack.wait_grown(calls_refused("message_size"), 1)


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
    return b"\xff" + os.urandom(200 * 1024)


@pytest.mark.parametrize("make, expected, words", [
    (empty_attributes, CODE.RESOURCE_EXHAUSTED, "it takes more than 4194304 bytes"),
    (unknown_fields, CODE.FAILED_PRECONDITION, "must be Hello"),  # they are passed over
    (nested, CODE.INVALID_ARGUMENT, "is not UTF-8"),  # no message nests in itself
    (garbage, CODE.INVALID_ARGUMENT, "it is not a protobuf message")])
def test_messages_that_unpack_to_more_than_they_are(attack, make, expected, words):
    code, details = raw_stream(attack.address, make())
    assert code is expected and words in details


def test_a_gzip_bomb(attack):
    """Whole, from a client that compresses; and its beginning, which must not be waited for."""
    code, details = raw_stream(attack.address, b"\x00" * (64 * MB),
                               options=[("grpc.default_compression_algorithm", 2)])
    assert code is CODE.UNIMPLEMENTED and "gzip" in details
    bomb = gzip.compress(b"\x00" * (64 * MB), 1)
    peer = attack.begin()
    peer.send(http2.open_call(1, http2.header("grpc-encoding", "gzip")))
    peer.send(http2.frame(http2.DATA, 1, b"\x01" + struct.pack(">I", len(bomb)) + bomb[:16000]))
    assert peer.read_status() == CODE.UNIMPLEMENTED.value[0]


def test_a_method_that_nobody_serves(attack):
    code, details = raw_stream(attack.address, b"", "/no.Such/Method")
    assert code is CODE.UNIMPLEMENTED and "does not know the method" in details


def test_a_peer_that_does_not_read(attack):
    """Refusals by the thousand, for which it opens no window: the collector keeps 256 KB of them, then
    ends the call. The status passes by what was not read."""
    peer = attack.begin()
    peer.send(http2.open_call(1))
    peer.send(http2.envelope(1, ingest.AgentMessage(hello=ingest.Hello(
        protocol=1, agent_id=os.urandom(16)))))
    peer.read_until(lambda kind, payload: kind == http2.DATA)  # the Welcome
    first, sent = int(time.time() * 1000) * 1024, 0
    deaf, not_announced = refusals("deaf"), refusals("not_announced")
    while attack.grown(deaf) == 0:
        if attack.grown(not_announced) < sent:  # the collector's own window is kept to
            time.sleep(0.005)
            continue
        assert sent < 50000
        peer.send(b"".join(
            http2.envelope(1, ingest.AgentMessage(sequence=first + i, snapshot=ingest.Snapshot(
                process=7, body=b"x"))) for i in range(sent, sent + 300)))
        sent += 300
    assert peer.read_status() == CODE.RESOURCE_EXHAUSTED.value[0]


# ---- connections ---------------------------------------------------------------------------------

def test_more_connections_than_allowed(attack):
    """There is no word in TCP for "too many": they are closed before anything is said."""
    for _ in range(400):
        attack.connect()
    attack.wait_grown(REFUSED, 250)
    ends = [peer.read_to_end(0.001) for peer in attack.peers[200:]]
    assert set(ends_of(ends)) <= {"closed", "reset"}
    assert not any(frames for frames, _ in ends)


def ends_of(pairs):
    return [end for _, end in pairs]


def test_slow_starters_are_cut_off(attack):
    slow, silent = attack.connect(), [attack.connect() for _ in range(20)]
    for byte in http2.PREFACE:
        if not slow.send_until_closed(bytes([byte])):
            break
        time.sleep(0.1)
    for peer in (slow, *silent):
        frames, end = peer.read_to_end()
        assert end in ("closed", "reset")
        assert frames[-1][0] == http2.GOAWAY and b"before handshake timeout" in frames[-1][1]
    assert attack.grown(MUTE) >= 20  # the collector's own probe of its listener is another one


OPENINGS = {"HTTP/1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "zeros": b"\x00" * 4096,
            "TLS": b"\x16\x03\x01\x02\x00" + b"\x01" * 512}


@pytest.mark.parametrize("opening", OPENINGS)
def test_no_http2_at_all(attack, opening):
    """gRPC 1.51 says its settings, as it does to everybody, and hangs up without a GOAWAY."""
    peer = attack.connect()
    peer.send(OPENINGS[opening])
    frames, end = peer.read_to_end()
    assert end in ("closed", "reset")
    assert [kind for kind, _ in frames] in ([http2.SETTINGS], [])


# ---- HTTP/2 --------------------------------------------------------------------------------------

@pytest.mark.parametrize("taken_back", [True, False])
def test_a_flood_of_calls(attack, taken_back):
    """Calls that are taken back at once do not count as open ones (rapid reset), and what is not
    acknowledged does not hold (the limit of open calls). Whatever a connection opens above its rate is
    refused, and the connection reset: a GOAWAY would have to wait for the attacker to read."""
    peer = attack.begin(acknowledges=False)
    flood = http2.many_calls(400000, taken_back)
    assert peer.send_until_closed(flood) == 0
    frames, end = peer.read_to_end()
    assert end in ("closed", "reset"), (frames[-3:], end)
    assert {kind for kind, _ in frames} <= {http2.SETTINGS, http2.WINDOW}
    attack.wait_grown(CUT, 1)
    assert attack.grown(CUT) == 1
    assert attack.grown(calls_refused("call_rate")) > 0


def test_a_flood_of_pings(attack):
    """gRPC 1.51 notes an error for each that comes after its GOAWAY, until that has gone out."""
    attack.peak_max = 2 * PEAK_MAX
    peer = attack.begin()
    reader = Reader(peer)
    peer.send_until_closed(http2.frame(http2.PING, payload=b"12345678") * 100, 200)
    frames, end = reader.result()
    assert end in ("closed", "reset")
    told = [payload for kind, payload in frames if kind == http2.GOAWAY]
    assert told and http2.code_of(told[-1]) == http2.ENHANCE_YOUR_CALM and b"too_many_pings" in told[-1]
    attack.wait_grown(PINGING, 1)


class Reader:
    """Reads while the attack goes on."""

    def __init__(self, peer):
        self.found = None
        self.thread = threading.Thread(target=self._run, args=(peer,), daemon=True)
        self.thread.start()

    def _run(self, peer):
        self.found = peer.read_to_end()

    def result(self):
        self.thread.join(60)
        return self.found


def bomb_of_headers(times):
    return http2.remembered("x-bomb", "v" * 126) + b"\xbe" * times


@pytest.mark.parametrize("acknowledges", [True, False])
def test_a_bomb_of_headers(attack, acknowledges):
    """One entry of the table, named again and again: 8 KB that stand for a megabyte. gRPC's own limit
    holds for peers that have acknowledged it, ours for the others."""
    peer = attack.begin(acknowledges)
    for i in range(20):
        peer.send_until_closed(http2.open_call(2 * i + 1, bomb_of_headers(8000)))
    assert peer.read_status() == CODE.RESOURCE_EXHAUSTED.value[0]
    assert acknowledges or attack.grown(calls_refused("headers")) >= 1


FILLERS = {"long": http2.header("x-filler", "v" * 100) * 100, "many": b"\xbe" * 300}


@pytest.mark.parametrize("filler", FILLERS)
def test_headers_without_end(attack, filler):
    """Frames that go on and on: gRPC's limit is of each of them, and only at their end can we look. Until
    then nothing but the memory of the network bounds them, of which they take several times what they
    are."""
    attack.peak_max = 192 * MB
    peer = attack.begin()
    peer.send(http2.frame(http2.HEADERS, 1, http2.call_headers(more=http2.remembered("x-bomb", "vv"))))
    for _ in range(24 * MB // len(FILLERS["long"]) if filler == "long" else 2000):
        peer.send(http2.frame(http2.CONTINUATION, 1, FILLERS[filler]))
    peer.send(http2.frame(http2.CONTINUATION, 1, flags=http2.END_HEADERS))
    assert peer.read_status() == CODE.RESOURCE_EXHAUSTED.value[0]
    attack.wait_grown(calls_refused("headers"), 1)


# What gRPC 1.51 makes of each, sent ten thousand times: it answers, or passes it over, or hangs up.
FRAMES = {
    "settings": (http2.frame(http2.SETTINGS), "silent"),
    "windows of streams": (http2.frame(http2.SETTINGS, payload=struct.pack(">HI", 4, 0x7fffffff)), "silent"),
    "windows": (http2.frame(http2.WINDOW, payload=struct.pack(">I", 0x7fffffff)), "silent"),
    "data of no stream": (http2.frame(http2.DATA, 1), "silent"),
    "unknown frames": (http2.frame(200, payload=b"x" * 100), "silent"),
    "windows of nothing": (http2.frame(http2.WINDOW, payload=b"\0\0\0\0"), "closed"),
    "settings that may not be": (http2.frame(http2.SETTINGS, payload=struct.pack(">HI", 5, 1)), "closed"),
}


@pytest.mark.parametrize("what", FRAMES)
def test_frames_that_say_nothing(attack, what):
    """Those that gRPC 1.51 takes for an error close the connection, mostly before a GOAWAY has left."""
    data, expected = FRAMES[what]
    peer = attack.begin()
    reader = Reader(peer) if expected == "closed" else None
    peer.send_until_closed(data * 50, 200)
    frames, end = reader.result() if reader else peer.read_to_end(1)
    assert end == expected or (end, expected) == ("reset", "closed")
    said = {kind for kind, _ in frames} & {http2.GOAWAY, http2.RST}
    assert not said or (expected == "closed" and said == {http2.GOAWAY})
    if expected == "silent":  # and serves it still
        call = http2.open_call(1, http2.header("grpc-encoding", "gzip"))
        peer.send(call + http2.frame(http2.DATA, 1, b"\x01\0\0\0\x01x"))
        assert peer.read_status() == CODE.UNIMPLEMENTED.value[0]


def test_settings_whose_answers_are_not_read(attack):
    """gRPC stops to read at 10,000 answers that it could not send. Nobody is told: nobody listens."""
    peer = attack.begin()
    peer.socket.settimeout(1)
    peer.send_until_closed(http2.frame(http2.SETTINGS) * 10000, 2000)


def test_more_streams_than_allowed(attack):
    """A peer that was told the limit, and opens more: gRPC gives up its connection, and tells each call."""
    peer = attack.begin()
    for i in range(STREAMS):
        peer.send(http2.open_call(2 * i + 1))
    attack.wait_grown(FULL, 1)
    peer.send(http2.open_call(2 * STREAMS + 1))
    frames, end = peer.read_to_end()
    assert end in ("closed", "reset")
    assert http2.statuses(frames)[0] == CODE.UNAVAILABLE.value[0]
    attack.wait_grown(calls_refused("http2"), STREAMS)
    assert attack.grown(FULL) == 1


def test_more_streams_than_allowed_of_a_peer_that_was_not_told(attack):
    peer = attack.begin(acknowledges=False)
    for i in range(3 * STREAMS):
        peer.send(http2.open_call(2 * i + 1))
    assert peer.read_status() == CODE.RESOURCE_EXHAUSTED.value[0]
    attack.wait_grown(calls_refused("streams_per_connection"), STREAMS)
    assert attack.grown("heapfleet_collector_streams_opened_total") <= STREAMS + 64


# ---- with limits of their own --------------------------------------------------------------------

def test_windows_stay_small_for_peers_that_are_not_read():
    """Their facts come faster than they may: each is read at its rate, and none of them is lost. What
    gRPC takes in ahead of that is 64 KiB of each."""
    options = ["--http", "127.0.0.1:0", "--max-snapshot-rate", "5", "--batch-every", "10ms"]
    peers = 60
    with Watched(options=options) as collector:
        memory = Memory(collector.child.pid)
        bystander = Bystander(collector.address)
        bystander.wait_rounds(2)
        usual = memory.now()
        streams = [Stream(collector.address) for _ in range(peers)]
        first = int(time.time() * 1000) * 1024
        big = b"x" * 100000
        for stream in streams:
            stream.wait_welcome()
            for i in range(40):
                stream.send(sequence=first + i, snapshot=ingest.Snapshot(process=9, body=big))
        collector.wait_metric("heapfleet_collector_throttled_total", peers, 60)
        bystander.wait_rounds(2)
        assert memory.peak() - usual < 48 * MB, f"{(memory.peak() - usual) // MB} MB more"
        assert all(stream.error is None for stream in streams)
        streams[0].wait_ack(0)
        streams[0].wait(lambda: len(streams[0].refused) == 40, 60)  # by name: nobody announced process 9
        for stream in streams:
            stream.close()
        bystander.stop()


def test_no_descriptor_left():
    """The table is full of idle connections, the others are closed before anything is said; when they go,
    the listener is still there."""
    with Watched(options=["--http", "127.0.0.1:0", "--handshake-timeout", "10m"]) as collector:
        bystander = Bystander(collector.address)
        bystander.wait_rounds(2)
        used = len(os.listdir(f"/proc/{collector.child.pid}/fd"))
        limit = resource.prlimit(collector.child.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(collector.child.pid, resource.RLIMIT_NOFILE, (used + 20, limit[1]))
        peers = [Peer(collector.address) for _ in range(80)]
        assert {end for _, end in (peer.read_to_end(1) for peer in peers[40:60])} <= {"closed", "reset"}
        bystander.wait_rounds(2)
        for peer in peers:
            peer.close()
        resource.prlimit(collector.child.pid, resource.RLIMIT_NOFILE, limit)
        no_descriptor = 'heapfleet_collector_connections_total{result="no_descriptor"}'
        collector.wait_metric(no_descriptor, 1)
        newcomer = Stream(collector.address)
        newcomer.wait_welcome()
        newcomer.close()
        bystander.wait_rounds(2)
        bystander.stop()
