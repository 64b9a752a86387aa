"""The limits on connections, as options: each holds, and is counted when it does. Those on what streams
say are in test_monitor.py, the attacks that they are for in test_hostile_peers.py."""
import pathlib
import resource
import subprocess

import grpc
import pytest

import raw_http2 as http2
from agent_client import Stream
from collector_process import PROGRAM
from raw_http2 import Peer
from watched_collector import Watched

MEMORY = "heapfleet_collector_network_memory_total"
FULL = "heapfleet_collector_connections_full_total"
STREAMS_OPEN = "heapfleet_collector_streams"


def connections(result):
    return f'heapfleet_collector_connections_total{{result="{result}"}}'


def watched(*options):
    return Watched(options=["--http", "127.0.0.1:0", "--batch-every", "10ms", *options])


def test_a_peer_that_does_not_answer_pings_is_taken_for_dead():
    """Its connection ends, and its stream UNAVAILABLE; one that answers stays."""
    with watched("--keepalive", "1s", "--keepalive-timeout", "1s") as collector:
        alive = Stream(collector.address)
        alive.wait_welcome()
        dead = Peer(collector.address).begin()
        dead.send(http2.open_call(1))
        collector.wait_metric(STREAMS_OPEN, 2)
        frames, end = dead.read_to_end()  # reads its pings, but says nothing
        assert end in ("closed", "reset")
        assert http2.PING in [kind for kind, _ in frames]
        assert http2.statuses(frames)[0] == grpc.StatusCode.UNAVAILABLE.value[0]
        collector.wait_metric(connections("silent"), 1)
        answering = Peer(collector.address).begin()
        for _ in range(2):
            frames, end = answering.read_until(lambda kind, payload: kind == http2.PING)
            assert end == "enough"
            answering.send(http2.frame(http2.PING, payload=frames[-1][1], flags=http2.ACK))
        assert alive.error is None and collector.metrics()[STREAMS_OPEN] == 1
        answering.close()
        alive.close()


def test_a_connection_that_is_full_lets_its_others_wait():
    """A client that keeps the rules sees no error: its third stream opens when one of the two has ended."""
    with watched("--max-streams-per-connection", "2") as collector:
        channel = grpc.insecure_channel(collector.address, [("grpc.use_local_subchannel_pool", 1)])
        streams = [Stream(collector.address, channel=channel) for _ in range(2)]
        for stream in streams:
            stream.wait_welcome()
        third = Stream(collector.address, channel=channel)
        collector.wait_metric(FULL, 1)
        another = Stream(collector.address)  # over a connection of its own
        another.wait_welcome()
        assert third.welcome is None and third.error is None
        assert collector.metrics()["heapfleet_collector_streams_opened_total"] == 3
        streams[0].call.cancel()
        third.wait_welcome()
        another.close()
        channel.close()


def test_the_memory_of_the_network_is_bounded():
    """When it is used up, gRPC 1.51 ends streams and connections with ENHANCE_YOUR_CALM, whosever they
    are; what headers take is several times what it counts."""
    with watched("--max-network-memory", "8M") as collector:
        first = Stream(collector.address)
        first.wait_welcome()
        first.close()
        assert collector.metrics()[MEMORY] == 0
        greedy = Peer(collector.address).begin()
        greedy.send(http2.frame(http2.HEADERS, 1, http2.call_headers()))
        filler = http2.frame(http2.CONTINUATION, 1, http2.header("x-filler", "v" * 100) * 100)
        greedy.send_until_closed(filler, 5000)
        frames, end = greedy.read_until(lambda kind, payload: kind in (http2.RST, http2.GOAWAY))
        assert end == "enough" and http2.code_of(frames[-1][1]) == http2.ENHANCE_YOUR_CALM
        collector.wait_metric(MEMORY, 1)
        newcomer = Stream(collector.address)
        newcomer.wait_welcome()
        newcomer.close()


def test_the_limit_of_open_files_is_raised_at_start():
    """The soft one, to the hard one; what that leaves bounds the connections (rpc_accept_test.c)."""
    class Limited(Watched):
        def start(self, *arguments, **more):
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
            try:
                return super().start(*arguments, **more)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with Limited(options=["--http", "127.0.0.1:0"]) as collector:
        limits = pathlib.Path(f"/proc/{collector.child.pid}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
        assert line.split()[3] == line.split()[4] == str(hard)


@pytest.mark.parametrize("option, words", [
    (("--keepalive", "10ms"), "between 1s and 1d"), (("--keepalive-timeout", "10ms"), "between 1s and 1d"),
    (("--handshake-timeout", "1ms"), "between 100ms and 10m"),
    (("--max-connections", "1000000001"), "at most 1000000000"),
    (("--max-streams-per-connection", "1000000001"), "at most 1000000000")])
def test_what_is_out_of_range_is_named(option, words):
    done = subprocess.run([PROGRAM, "serve", *option], capture_output=True, text=True)
    assert done.returncode == 2 and option[0] in done.stderr and words in done.stderr
