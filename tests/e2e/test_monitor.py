"""/metrics, /healthz and /readyz of a collector, and the limits on streams as they show there."""
import ctypes
import os
import shutil
import socket
import stat
import subprocess
import time

import grpc
import pytest

from agent_client import Process, Stream, ingest
from collector_process import PROGRAM, Collector
from watched_collector import Watched

pytestmark = pytest.mark.postgres

LIMITS = ["--max-processes", "3", "--max-types", "4", "--max-name-length", "20", "--max-message-size", "16K",
          "--max-streams-per-peer", "6", "--max-snapshot-rate", "50", "--max-heap-memory", "2600",
          "--max-clock-ahead", "2m", "--max-clock-behind", "1h", "--max-sequence-ahead", "1h",
          "--max-chain", "5"]


def refusals(reason):
    return f'heapfleet_collector_refusals_total{{reason="{reason}"}}'


@pytest.fixture(scope="module")
def collector():
    with Watched(options=["--http", "127.0.0.1:0"]) as running:
        yield running


@pytest.fixture(scope="module")
def strict():
    with Watched(options=["--http", "127.0.0.1:0", *LIMITS]) as running:
        yield running


def start_sequence():
    return int(time.time() * 1000) * 1024


def well_behaved(collector, service="good"):
    """A stream and a process that nobody may disturb."""
    stream, process = Stream(collector.address), Process(1, service=service)
    process.announce(stream)
    process.sequence = start_sequence()
    goes_on(stream, process)
    return stream, process


def goes_on(stream, process):
    process.sequence += 1
    process.values[0] = (process.values[0][0] + 1, process.values[0][1] + 8)
    stream.outgoing.put(process.snapshot(process.sequence))
    stream.wait_ack(process.sequence)
    assert not stream.refused


# ---- what can be asked ---------------------------------------------------------------------------


def test_promtool_likes_the_metrics(collector):
    if not shutil.which("promtool"):
        pytest.skip("not covered: promtool is not installed")
    done = subprocess.run(["promtool", "check", "metrics"], input=collector.get("/metrics")[1], text=True,
                          capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_counters_follow_a_stream(collector):
    before = collector.metrics()
    stream, process = well_behaved(collector, "counted")
    goes_on(stream, process)
    collector.wait_metric("heapfleet_collector_streams", 1)
    now = collector.metrics()

    def grown(series):
        return now[series] - before[series]

    assert grown('heapfleet_collector_snapshots_total{result="taken"}') == 2
    assert grown("heapfleet_collector_messages_total") == 5
    assert grown("heapfleet_collector_message_bytes_total") > 100
    assert grown('heapfleet_collector_commits_total{result="ok"}') >= 2
    assert grown("heapfleet_collector_commit_seconds_count") >= 2
    assert grown("heapfleet_collector_acknowledgements_total") >= 2
    assert grown("heapfleet_collector_heap_memory_bytes") == 64 * (8 + 2)
    assert now["process_resident_memory_bytes"] > 1e6
    stream.close()
    deadline = time.monotonic() + 10
    while collector.metrics()["heapfleet_collector_streams"] > before["heapfleet_collector_streams"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert collector.metrics()["heapfleet_collector_heap_memory_bytes"] == \
        before["heapfleet_collector_heap_memory_bytes"]


def test_only_what_is_there(collector):
    assert collector.get("/healthz") == (200, "ok\n")
    assert collector.get("/readyz") == (200, "ok\n")
    assert collector.get("/") == (404, "there is nothing here\n")
    assert collector.get("/metrics/../etc/passwd")[0] == 404
    assert collector.get("/metrics", "POST", b"x" * 100)[0] == 405
    assert collector.get("/metrics", "DELETE")[0] == 405
    assert collector.get("/metrics", "HEAD") == (200, "")


def test_hostile_requests_are_bounded(collector):
    for request in (b"\x00" * 100, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100000, b"GET /" + b"a" * 100000):
        with socket.create_connection(collector.http, timeout=1) as connection:
            try:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass
    crowd = [socket.create_connection(collector.http, timeout=15) for _ in range(100)]
    for connection in crowd:
        connection.close()
    assert collector.get("/healthz")[0] == 200


def private_dsn(collector):
    return f"port=5432 user=heapfleet dbname=postgres host={collector.folder / 'data/socket'}"


def wait_ready(collector, expected, seconds=30):
    deadline = time.monotonic() + seconds
    while collector.get("/readyz") != expected:
        assert time.monotonic() < deadline, collector.get("/readyz")
        time.sleep(0.1)


def change_read_only(owner, word):
    """For sessions that begin now; others are ended."""
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", private_dsn(owner),
                    "-c", "SET default_transaction_read_only = off", "-c", f"ALTER DATABASE postgres {word}",
                    "-c", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"],
                   check=True, stdout=subprocess.DEVNULL)


def test_not_ready_while_the_database_takes_no_writes():
    with Collector() as owner:
        options = ["--http", "127.0.0.1:0", "--dsn", private_dsn(owner)]
        with Watched(options=options, private=False) as collector:
            change_read_only(owner, "SET default_transaction_read_only = on")
            wait_ready(collector, (503, "the database takes no writes: is it a standby?\n"))
            assert collector.get("/healthz")[0] == 200
            change_read_only(owner, "RESET default_transaction_read_only")
            wait_ready(collector, (200, "ok\n"))


def test_not_ready_while_the_database_is_away():
    with Collector() as owner:
        options = ["--http", "127.0.0.1:0", "--dsn", private_dsn(owner)]
        with Watched(options=options, private=False) as collector:
            wait_ready(collector, (200, "ok\n"))
            owner.stop()  # and with it the database
            wait_ready(collector, (503, "the database does not answer\n"))
            assert collector.get("/healthz") == (200, "ok\n")
            owner.start()
            wait_ready(collector, (200, "ok\n"))


def test_an_address_that_is_taken(collector):
    host, port = collector.http
    done = subprocess.run([PROGRAM, "serve", "--http", f"{host}:{port}", "--listen", "127.0.0.1:0", "--dsn",
                           private_dsn(collector)],
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert "--http: cannot listen on" in done.stderr and "already in use" in done.stderr


@pytest.mark.parametrize("address", ["unix:/tmp/http", "here", "127.0.0.1:70000"])
def test_what_is_no_address_is_said_at_once(address):
    done = subprocess.run([PROGRAM, "serve", "--http", address], capture_output=True, text=True)
    assert done.returncode == 2 and "--http: " in done.stderr


@pytest.mark.parametrize("option", [
    ("--max-types", "16385"), ("--max-types", "0"), ("--max-name-length", "513"), ("--max-message-size", "1K"),
    ("--max-processes", "0"), ("--max-chain", "0"), ("--max-clock-ahead", "1s"), ("--max-clock-behind", "9000d"),
    ("--max-sequence-ahead", "1ms"), ("--max-snapshot-rate", "5000000000")])
def test_limits_out_of_range_are_named(option):
    done = subprocess.run([PROGRAM, "serve", *option], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{option[0]} is between" in done.stderr


# ---- limits --------------------------------------------------------------------------------------


def refused(collector, reason, stream, process, spoil):
    """`spoil` makes the process send something that is refused; a neighbour on the stream goes on."""
    before = collector.metrics()[refusals(reason)]
    neighbour = Process(9, service="neighbour", names=("a",))
    neighbour.announce(stream)
    spoil(process)
    sequence = start_sequence() + 1000
    stream.outgoing.put(neighbour.snapshot(sequence))
    stream.wait_ack(sequence)
    assert sequence not in stream.refused and stream.refused
    assert collector.metrics()[refusals(reason)] == before + 1


SPOILS = {
    "types": dict(names=["a", "b", "c", "d", "e"]),
    "name_length": dict(names=["a" * 21]),
    "clock_skew": dict(ahead_ms=130_000),
    "clock_skew ": dict(ahead_ms=-3_700_000),
    "body": dict(body=b"\x10\x01\x80"),
    "base": dict(base=77),
    "value": dict(coverage=10001),
}


@pytest.mark.parametrize("what", SPOILS)
def test_what_exceeds_a_limit_is_refused_alone(strict, what):
    good = well_behaved(strict)
    spoil = SPOILS[what]
    stream = Stream(strict.address)
    process = Process(1, service="spoilt", names=spoil.get("names", ["a"]))

    def send(process):
        process.announce(stream)
        body = spoil.get("body", b"\x12\x01" if "base" in spoil else b"\x10\x01\x01\x08")
        stream.send(sequence=start_sequence(), snapshot=ingest.Snapshot(
            process=1, time_ms=int(time.time() * 1000) + spoil.get("ahead_ms", 0), body=body,
            base_sequence=spoil.get("base", 0), coverage=spoil.get("coverage", 10000)))

    refused(strict, what.strip(), stream, process, send)
    stream.close()
    goes_on(*good)
    good[0].close()


def test_a_chain_without_its_keyframe_is_refused(strict):
    stream, process = Stream(strict.address), Process(1, service="chain", names=["a"])
    process.announce(stream)
    first = start_sequence()
    for i in range(25):
        process.values = [(i + 1, 8 * (i + 1))]
        stream.outgoing.put(process.snapshot(first + i))
    stream.wait_ack(first + 24)
    assert stream.requests[0] == 1
    assert min(stream.refused) == first + 21 and "without a keyframe" in stream.refused[first + 21]
    assert strict.metrics()[refusals("chain_length")] == 4
    stream.close()


ENDINGS = {
    "processes": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "sequence_jump": grpc.StatusCode.INVALID_ARGUMENT,
    "heap_memory": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "message": grpc.StatusCode.INVALID_ARGUMENT,
    "protocol": grpc.StatusCode.INVALID_ARGUMENT,
}


@pytest.mark.parametrize("what", ENDINGS)
def test_what_ends_a_stream_ends_it_alone(strict, what):
    good = well_behaved(strict)
    before = strict.metrics()[refusals(what)]
    stream = Stream(strict.address)
    stream.wait_welcome()
    if what == "processes":
        for number in range(1, 5):
            Process(number, service="", names=["a"]).announce(stream)
    elif what == "heap_memory":
        for number in range(1, 4):
            Process(number, service=f"heap{number}", names=["a", "b", "c", "d"]).announce(stream)
    elif what == "sequence_jump":
        process = Process(1, service="jump")
        process.announce(stream)
        stream.outgoing.put(process.snapshot(start_sequence() + 3_700_000 * 1024))
    elif what == "message":
        stream.send_raw(b"\xff\xff\xff")
    else:
        stream.send(type_definitions=ingest.TypeDefinitions(process=5, names=["a"]))
    assert stream.wait_end() == ENDINGS[what]
    assert strict.metrics()[refusals(what)] == before + 1
    goes_on(*good)
    good[0].close()


def test_a_message_that_is_too_large_ends_its_stream(strict):
    good = well_behaved(strict)
    stream = Stream(strict.address)
    stream.wait_welcome()
    series = 'heapfleet_collector_calls_refused_total{reason="message_size"}'
    before = strict.metrics()[series]
    stream.send_raw(b"\x00" * 17000)
    assert stream.wait_end() == grpc.StatusCode.RESOURCE_EXHAUSTED
    strict.wait_metric(series, before + 1)
    goes_on(*good)
    good[0].close()


def test_streams_of_one_peer_are_bounded(strict):
    deadline = time.monotonic() + 10
    while strict.metrics()["heapfleet_collector_streams"] > 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    streams = [Stream(strict.address) for _ in range(6)]
    for stream in streams:
        stream.wait_welcome()
    one_more = Stream(strict.address)
    assert one_more.wait_end() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert strict.metrics()[refusals("streams_per_peer")] >= 1
    streams.pop().close()
    deadline = time.monotonic() + 10
    while strict.metrics()["heapfleet_collector_streams"] > 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = Stream(strict.address)
    again.wait_welcome()
    for stream in [*streams, again]:
        stream.close()


def test_a_fast_stream_is_slowed_and_loses_nothing(strict):
    stream, process = Stream(strict.address), Process(1, service="fast", names=["a"])
    process.announce(stream)
    first, began = start_sequence(), time.monotonic()
    for i in range(250):
        process.values = [(i + 1, 8 * (i + 1))]
        stream.outgoing.put(process.snapshot(first + i, whole=True))
    stream.wait_ack(first + 249)
    assert not stream.refused
    assert time.monotonic() - began > 2.5  # two seconds' worth at once, 150 more at 50 a second
    assert strict.metrics()["heapfleet_collector_throttled_total"] >= 1
    stream.close()


# ---- the listener ------------------------------------------------------------------------------

def kill_listener(pid, port):
    """What an accept that fails for good does to gRPC: the collector's own socket listens no more."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    for number in map(int, os.listdir(f"/proc/{pid}/fd")):
        fd = libc.syscall(438, pidfd, number, 0)  # pidfd_getfd
        if fd < 0:
            continue
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            os.close(fd)
            continue
        with socket.socket(fileno=fd) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.getsockname()[1] == port and \
                    found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.shutdown(socket.SHUT_RDWR)
                os.close(pidfd)
                return True
    os.close(pidfd)
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="not covered: another process's socket needs root")
def test_a_dead_listener_comes_back_and_streams_go_on():
    with Watched(options=["--http", "127.0.0.1:0", "--max-connections", "16"]) as collector:
        stream, process = well_behaved(collector)
        host, _, port = collector.address.rpartition(":")
        crowd = [socket.create_connection((host, int(port))) for _ in range(40)]
        for one in crowd:
            one.close()
        collector.wait_metric('heapfleet_collector_connections_total{result="refused"}', 1)
        assert kill_listener(collector.child.pid, int(port))
        goes_on(stream, process)
        collector.wait_log("listener.dead")
        collector.wait_log("listener.back")
        goes_on(stream, process)
        goes_on(*well_behaved(collector))
        stream.close()
        assert collector.stop() == 0
