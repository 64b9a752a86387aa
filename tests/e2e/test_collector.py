"""The collector from outside: agents played by hand, real PostgreSQL, real signals."""
import concurrent.futures
import os
import signal
import subprocess
import threading
import time

import grpc
import pytest

import swarm
from agent_client import Process, Stream, ask, history, ingest, keyframe, query, stream_history
from collector_process import BIN, PROGRAM, Collector, new_folder

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def collector():
    with Collector() as running:
        yield running


def start_sequence():
    return int(time.time() * 1000) * 1024


def growth(process, first, count):
    """`count` snapshots from number `first` on, whose item count is how many there were."""
    facts = []
    for i in range(count):
        items = process.values[0][0] + 1
        process.values = [(items, items * 56), (10, 600)]
        facts.append(process.snapshot(first + i))
    return facts


def send_growth(stream, process, first, count):
    for fact in growth(process, first, count):
        stream.outgoing.put(fact)
    return first + count - 1


# ---- storing -----------------------------------------------------------------------------------

def test_what_is_acknowledged_is_in_the_history(collector):
    stream, process = Stream(collector.address), Process(1, service="plain")
    assert stream.wait_welcome().committed_sequence == 0
    process.announce(stream)
    first = start_sequence()
    last = send_growth(stream, process, first, 50)
    stream.wait_ack(last)
    stream.close()
    assert history(collector.address, "plain", "app.Item") == [
        (first + i, i + 1) for i in range(50)]


def test_sent_twice_is_stored_once(collector):
    stream, process = Stream(collector.address), Process(1, service="twice")
    process.announce(stream)
    first = start_sequence()
    send_growth(stream, process, first, 20)
    stream.wait_ack(first + 19)
    stream.close()
    again = Stream(collector.address, agent_id=stream.agent_id)
    assert first <= again.wait_welcome().committed_sequence <= first + 19
    repeated = Process(1, service="twice", uuid=process.uuid, started_ms=process.started_ms)
    repeated.announce(again)
    send_growth(again, repeated, first, 30)
    again.wait_ack(first + 29)
    again.close()
    assert not again.refused
    assert history(collector.address, "twice", "app.Item") == [
        (first + i, i + 1) for i in range(30)]


def test_both_streams_of_a_reconnect_may_send_the_same(collector):
    """The old stream's facts are still on their way when the new one sends them again."""
    process = Process(1, service="overlap")
    first, agent_id = start_sequence(), os.urandom(16)
    streams = [Stream(collector.address, agent_id=agent_id) for _ in range(4)]
    facts = growth(process, first, 100)
    for stream in streams:
        process.announce(stream)
        for fact in facts:
            stream.outgoing.put(fact)
    for stream in streams:
        stream.wait_ack(first + 99)
        stream.close()
    assert history(collector.address, "overlap", "app.Item") == [
        (first + i, i + 1) for i in range(100)]


def test_a_restarted_agent_may_number_the_types_anew(collector):
    stream = Stream(collector.address)
    process = Process(1, service="renumber", names=("app.Item", "str"))
    process.announce(stream)
    first = start_sequence()
    send_growth(stream, process, first, 5)
    stream.wait_ack(first + 4)
    stream.close()
    for run in range(2):  # a new run, then the same run over a new stream
        stream = Stream(collector.address)
        other = Process(9, service="renumber", uuid=process.uuid, started_ms=process.started_ms,
                        names=("dict", "str", "app.Item"))
        other.announce(stream)
        start = first + 1000 * (run + 1)
        for i in range(5):
            other.values = [(1, 64), (10, 600), (100 * (run + 1) + i, 56)]
            stream.outgoing.put(other.snapshot(start + i))
        stream.wait_ack(start + 4)
        stream.close()
        again = Stream(collector.address, agent_id=stream.agent_id)
        other.announce(again)
        for i in range(5, 8):
            other.values = [(1, 64), (10, 600), (100 * (run + 1) + i, 56)]
            again.outgoing.put(other.snapshot(start + i))
        again.wait_ack(start + 7)
        again.close()
        assert not stream.refused and not again.refused
    counts = [count for _, count in history(collector.address, "renumber", "app.Item")]
    assert counts == [1, 2, 3, 4, 5] + [100 + i for i in range(8)] + [200 + i for i in range(8)]
    assert {c for _, c in history(collector.address, "renumber", "dict")} >= {1}


def test_the_end_of_a_stream_says_its_last_ack(collector):
    stream, process = Stream(collector.address), Process(1, service="goodbye")
    process.announce(stream)
    first = start_sequence()
    send_growth(stream, process, first, 3)
    stream.send(sequence=first + 3, process_ended=ingest.ProcessEnded(
        process=1, time_ms=int(time.time() * 1000), reason=ingest.END_REASON_OOM_KILLED))
    stream.half_close()
    assert stream.wait_end() == grpc.StatusCode.OK
    assert stream.acknowledged == first + 3
    deployments = ask(collector.address, "ListDeployments", query.ListDeploymentsRequest(
        service=query.ServiceRef(name="goodbye")), query.ListDeploymentsResponse).deployments
    assert [d.oom_kills for d in deployments] == [1]


# ---- refusing ----------------------------------------------------------------------------------

@pytest.mark.parametrize("protocol,who", [(0, "agent"), (2, "collector")])
def test_another_protocol_is_refused(collector, protocol, who):
    stream = Stream(collector.address, protocol=protocol)
    assert stream.wait_end() == grpc.StatusCode.FAILED_PRECONDITION
    assert stream.error.details() == (f"this collector speaks heapfleet protocol 1, the agent "
                                      f"speaks {protocol}: upgrade the {who}")


def test_a_gap_in_the_chain_is_refused_and_a_keyframe_mends_it(collector):
    stream, process = Stream(collector.address), Process(7, service="gap")
    process.announce(stream)
    first = start_sequence()
    send_growth(stream, process, first, 3)
    process.snapshot(first + 3)  # never sent
    send_growth(stream, process, first + 4, 1)
    stream.wait(lambda: stream.requests)
    assert stream.requests == [7]
    assert list(stream.refused) == [first + 4]
    stream.outgoing.put(process.snapshot(first + 5, whole=True))
    send_growth(stream, process, first + 6, 2)
    stream.wait_ack(first + 7)
    stream.close()
    sequences = [s for s, _ in history(collector.address, "gap", "app.Item")]
    assert sequences == [first, first + 1, first + 2, first + 5, first + 6, first + 7]


HOSTILE_SNAPSHOTS = {
    "empty": dict(body=b""),
    "garbage": dict(body=b"\xff" * 100),
    "truncated": dict(body=b"\x10\x02\x01"),
    "trailing": dict(body=b"\x10\x02\x01\x01\x01\x01\x00"),
    "too many types": dict(body=b"\x10\x81\x80\x01" + b"\x00" * 40000),
    "types without names": dict(body=b"\x10\x05" + b"\x01" * 10),
    "huge count": dict(body=b"\x10\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"),
    "delta as keyframe": dict(body=b"\x11\x01"),
    "keyframe with a base": dict(body=b"\x10\x01\x01\x01", base_sequence=5),
    "unknown base": dict(body=b"\x11\x01", base_sequence=5),
    "future": dict(body=b"\x10\x01\x01\x01", time_ms=2**62),
    "past": dict(body=b"\x10\x01\x01\x01", time_ms=-2**62),
    "number too large": dict(body=b"\x10\x01\x01\x01", rss_anon_bytes=2**64 - 1),
    "coverage": dict(body=b"\x10\x01\x01\x01", coverage=10001),
}


@pytest.mark.parametrize("what", HOSTILE_SNAPSHOTS)
def test_a_wrong_snapshot_is_refused_alone(collector, what):
    stream, process = Stream(collector.address), Process(1, service="hostile")
    process.announce(stream)
    first = start_sequence()
    fields = {"process": 1, "time_ms": int(time.time() * 1000), **HOSTILE_SNAPSHOTS[what]}
    stream.send(sequence=first, snapshot=ingest.Snapshot(**fields))
    stream.outgoing.put(process.snapshot(first + 1, whole=True))
    stream.wait_ack(first + 1)
    assert list(stream.refused) == [first]
    assert stream.refused[first]
    stream.close()


def test_a_value_that_the_database_does_not_take_is_refused_alone(collector):
    """Somebody's own check on the table; the stream, and its other process, go on."""
    stream, process, other = Stream(collector.address), Process(1, service="checked"), Process(2, service="beside")
    process.announce(stream)
    other.announce(stream)
    first = start_sequence()
    subprocess.run(["psql", "-qX", "-d", swarm.dsn_of(collector.folder / "data"), "-c",
                    f"ALTER TABLE heapfleet.snap_delta ADD CONSTRAINT own CHECK (sequence <> {first + 4})"],
                   check=True)
    for i in range(0, 10, 2):
        send_growth(stream, process, first + i, 1)
        send_growth(stream, other, first + i + 1, 1)
    stream.wait_ack(first + 9)
    assert first + 4 in stream.refused and "own" in stream.refused[first + 4]
    assert 1 in stream.requests and 2 not in stream.requests
    stream.outgoing.put(process.snapshot(first + 20, whole=True))
    stream.wait_ack(first + 20)
    stream.close()
    kept = [sequence - first for sequence, _ in history(collector.address, "checked", "app.Item")]
    assert kept[:2] == [0, 2] and kept[-1] == 20 and 4 not in kept
    assert len(history(collector.address, "beside", "app.Item")) == 5


@pytest.mark.parametrize("behind_s", [0, 3600, -300])
def test_a_wrong_clock_makes_nobody_dead(collector, behind_s):
    """Times are kept as the agent says them; who is alive is judged by the collector's clock."""
    now_ms = int(time.time() * 1000) - behind_s * 1000
    stream = Stream(collector.address, clock_ms=now_ms)
    process = Process(1, service=f"clock {behind_s}", started_ms=now_ms - 600000)
    process.announce(stream)
    first = start_sequence()
    for i in range(3):
        stream.outgoing.put(process.snapshot(first + i, time_ms=now_ms - (2 - i) * 60000))
    stream.wait_ack(first + 2)
    services = ask(collector.address, "ListServices", query.ListServicesRequest(),
                   query.ListServicesResponse).services
    assert [s.live_instances for s in services if s.name == f"clock {behind_s}"] == [1]
    stream.close()


HOSTILE_PROCESSES = {
    "no service": dict(service=""),
    "long service": dict(service="x" * 513),
    "long image": dict(image="x" * 10000),
    "future": dict(started_ms=2**62),
    "before time": dict(started_ms=-1),
    "many attributes": dict(
        attributes=[ingest.Attribute(key=f"k{i}", value="v") for i in range(65)]),
    "long attribute": dict(attributes=[ingest.Attribute(key="k", value="v" * 513)]),
}


@pytest.mark.parametrize("what", HOSTILE_PROCESSES)
def test_a_wrong_process_is_refused_and_its_neighbour_is_not(collector, what):
    stream, good = Stream(collector.address), Process(2, service="neighbour")
    fields = {"process": 1, "instance_id": os.urandom(16), "service": "wrong",
              "started_ms": int(time.time() * 1000), **HOSTILE_PROCESSES[what]}
    stream.send(process_started=ingest.ProcessStarted(**fields))
    stream.send(type_definitions=ingest.TypeDefinitions(process=1, names=["a"]))
    good.announce(stream)
    first = start_sequence()
    stream.send(sequence=first, snapshot=ingest.Snapshot(
        process=1, time_ms=int(time.time() * 1000), body=b"\x10\x01\x01\x01"))
    stream.outgoing.put(good.snapshot(first + 1))
    stream.wait_ack(first + 1)
    assert list(stream.refused) == [first]
    stream.close()


HOSTILE_TYPES = {
    "hole": dict(first_index=5, names=["a"]),
    "twice": dict(first_index=0, names=["a", "a"]),
    "empty name": dict(first_index=0, names=[""]),
    "long name": dict(first_index=0, names=["x" * 513]),
    "index at the end of numbers": dict(first_index=2**32 - 1, names=["a"]),
}


@pytest.mark.parametrize("what", HOSTILE_TYPES)
def test_wrong_types_reject_their_process_only(collector, what):
    stream, bad, good = Stream(collector.address), Process(1, names=[]), Process(2)
    bad.announce(stream)
    good.announce(stream)
    stream.send(type_definitions=ingest.TypeDefinitions(process=1, **HOSTILE_TYPES[what]))
    first = start_sequence()
    stream.outgoing.put(bad.snapshot(first))
    stream.outgoing.put(good.snapshot(first + 1))
    stream.wait_ack(first + 1)
    assert list(stream.refused) == [first]
    stream.close()


def test_facts_of_unknown_processes_are_refused(collector):
    stream = Stream(collector.address)
    first = start_sequence()
    stream.send(sequence=first, snapshot=ingest.Snapshot(process=5, body=b"\x10\x00"))
    stream.send(sequence=first + 1, process_ended=ingest.ProcessEnded(process=6))
    stream.wait_ack(first + 1)
    assert set(stream.refused) == {first, first + 1}
    stream.close()


def protocol_errors():
    started = ingest.ProcessStarted(process=1, instance_id=b"x" * 16, service="s")
    hello = ingest.Hello(protocol=1, agent_id=b"y" * 16)
    snapshot = ingest.Snapshot(process=1)
    message = ingest.AgentMessage
    now = start_sequence()
    return {
        "no hello": (False, [message(process_started=started)],
                     grpc.StatusCode.FAILED_PRECONDITION),
        "two hellos": (True, [message(hello=hello)], grpc.StatusCode.INVALID_ARGUMENT),
        "short agent id": (False, [message(hello=ingest.Hello(protocol=1, agent_id=b"x"))],
                           grpc.StatusCode.INVALID_ARGUMENT),
        "process 0": (True, [message(process_started=ingest.ProcessStarted(
            instance_id=b"x" * 16, service="s"))], grpc.StatusCode.INVALID_ARGUMENT),
        "short instance id": (True, [message(process_started=ingest.ProcessStarted(
            process=1, instance_id=b"x", service="s"))], grpc.StatusCode.INVALID_ARGUMENT),
        "one number, two processes": (True, [
            message(process_started=started), message(process_started=ingest.ProcessStarted(
                process=1, instance_id=b"z" * 16, service="s"))],
            grpc.StatusCode.INVALID_ARGUMENT),
        "types of nobody": (True, [message(type_definitions=ingest.TypeDefinitions(process=3))],
                            grpc.StatusCode.INVALID_ARGUMENT),
        "sequence 0": (True, [message(snapshot=snapshot)], grpc.StatusCode.INVALID_ARGUMENT),
        "sequence repeats": (True, [message(sequence=now, snapshot=snapshot)] * 2,
                             grpc.StatusCode.INVALID_ARGUMENT),
        "sequence of the far future": (True, [message(sequence=2**63, snapshot=snapshot)],
                                       grpc.StatusCode.INVALID_ARGUMENT),
        "not protobuf": (True, [b"\xff\xff\xff\xff"], grpc.StatusCode.INVALID_ARGUMENT),
        "not UTF-8": (True, [message(process_started=ingest.ProcessStarted(
            process=1, instance_id=b"x" * 16, service="QQQQ")).SerializeToString().replace(
                b"QQQQ", b"Q\xff\xfeQ")], grpc.StatusCode.INVALID_ARGUMENT),
        "too large": (True, [b"\x00" * 300000], grpc.StatusCode.RESOURCE_EXHAUSTED),
        "swells when unpacked": (True, [message(type_definitions=ingest.TypeDefinitions(
            process=1, names=[""] * 120000)).SerializeToString()], None),
    }


@pytest.mark.parametrize("what", protocol_errors())
def test_a_broken_stream_ends_alone(collector, what):
    hello, messages, code = protocol_errors()[what]
    neighbour, process = Stream(collector.address), Process(1, service="beside")
    process.announce(neighbour)
    first = start_sequence()
    send_growth(neighbour, process, first, 1)
    stream = Stream(collector.address, hello=hello)
    for message in messages:
        stream.outgoing.put(message)
    ended_with = stream.wait_end()
    assert ended_with == code or code is None and ended_with != grpc.StatusCode.OK
    assert stream.error.details()
    send_growth(neighbour, process, first + 1, 1)
    neighbour.wait_ack(first + 1)
    neighbour.close()
    stream.close()


def test_an_agent_that_does_not_read_is_ended(collector):
    """Each of its facts is refused, in words; it never takes one of them off the wire."""
    neighbour, process = Stream(collector.address), Process(1, service="beside the deaf")
    process.announce(neighbour)
    channel = grpc.insecure_channel(collector.address, options=[
        ("grpc.use_local_subchannel_pool", 1), ("grpc.http2.lookahead_bytes", 1024),
        ("grpc.http2.bdp_probe", 0)])
    first, taken = start_sequence(), [0]

    def messages():
        yield ingest.AgentMessage(hello=ingest.Hello(protocol=1, agent_id=os.urandom(16)))
        for i in range(200000):
            taken[0] = i
            yield ingest.AgentMessage(sequence=first + i, snapshot=ingest.Snapshot(process=9))

    call = channel.stream_stream(
        "/heapfleet.v1.Ingest/Stream", request_serializer=ingest.AgentMessage.SerializeToString,
        response_deserializer=None)(messages())
    collector.wait_log("the agent does not read what it is sent")
    assert taken[0] < 200000
    call.cancel()
    channel.close()
    sequence = start_sequence()
    send_growth(neighbour, process, sequence, 1)
    neighbour.wait_ack(sequence)
    neighbour.close()


def test_more_processes_than_the_limit_end_the_stream(collector):
    stream = Stream(collector.address)
    for number in range(1, 4099):
        stream.send(process_started=ingest.ProcessStarted(
            process=number, instance_id=os.urandom(16), service=""))
    assert stream.wait_end() == grpc.StatusCode.RESOURCE_EXHAUSTED
    stream.close()


# ---- ending ------------------------------------------------------------------------------------

def test_sigterm_commits_acknowledges_and_leaves(tmp_path):
    with Collector() as collector:
        stream, process = Stream(collector.address), Process(1, service="drain")
        process.announce(stream)
        first = start_sequence()
        send_growth(stream, process, first, 1)
        stream.wait_ack(first)
        send_growth(stream, process, first + 1, 50)
        assert collector.stop() == 0, collector.log()
        assert stream.wait_end() == grpc.StatusCode.UNAVAILABLE
        acknowledged = stream.acknowledged
        collector.start()
        stored = history(collector.address, "drain", "app.Item")
        assert stored[-1][0] >= acknowledged
        assert stored == [(first + i, i + 1) for i in range(len(stored))]


def freeze(collector):
    """Stop the processes of its database; returns their ids."""
    postmaster = int((collector.folder / "data/postgres/postmaster.pid").read_text().split()[0])
    children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True,
                              text=True).stdout.split()
    pids = [postmaster, *map(int, children)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def thaw(pids):
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def test_a_second_signal_ends_at_once():
    """The first one cannot be honoured: the database does not answer."""
    with Collector() as collector:
        stream, process = Stream(collector.address), Process(1, service="hasty")
        process.announce(stream)
        first = start_sequence()
        send_growth(stream, process, first, 1)
        stream.wait_ack(first)
        frozen = freeze(collector)
        send_growth(stream, process, first + 1, 1)
        time.sleep(0.5)
        collector.child.send_signal(signal.SIGTERM)
        collector.wait_log("collector.ending")
        collector.child.send_signal(signal.SIGTERM)
        assert collector.child.wait(10) == 128 + signal.SIGTERM
        thaw(frozen)
        assert stream.acknowledged == first
        collector.start()
        assert history(collector.address, "hasty", "app.Item")[0] == (first, 1)


class Sender(threading.Thread):
    """An agent that never gives up: reconnects, and resends what was not acknowledged."""

    def __init__(self, address, number, total, service="chaos"):
        super().__init__(daemon=True)
        self.address, self.total = address, total
        self.process = Process(number, service=service, version=f"v{number}")
        self.first, self.agent_id = start_sequence(), os.urandom(16)
        self.acknowledged = self.sent = self.first - 1
        self.problems = []
        self.stream = None

    def run(self):
        while self.acknowledged < self.first + self.total - 1:
            stream = self.stream = Stream(self.address, agent_id=self.agent_id)
            try:
                self.session(stream)
            except AssertionError:
                time.sleep(0.1)
            self.acknowledged = max(self.acknowledged, stream.acknowledged)
            self.problems += stream.refused.values()
            stream.close()

    def session(self, stream):
        committed = stream.wait_welcome().committed_sequence
        if committed > self.sent:
            self.problems.append("a fact is committed that was never sent")
        done = max(committed, self.acknowledged, self.first - 1) - self.first + 1
        self.process.announce(stream)
        self.process.values = [(done, done * 56), (10, 600)]
        self.process.base = (self.first + done - 1, list(self.process.values)) if done else None
        while done < self.total:
            count = min(20, self.total - done)
            if stream.requests:
                stream.requests.clear()
                self.process.base = None  # a keyframe
            self.sent = max(self.sent, self.first + done + count - 1)
            send_growth(stream, self.process, self.first + done, count)
            done += count
            if done > 60:
                stream.wait_ack(self.first + done - 60)
        stream.wait_ack(self.first + self.total - 1)


def test_kill_of_the_collector_loses_nothing_acknowledged():
    with Collector() as collector:
        port = collector.address
        senders = [Sender(port, number, 1500) for number in range(1, 5)]
        for sender in senders:
            sender.start()
        for _ in range(4):
            before = sum(s.acknowledged - s.first for s in senders)
            time.sleep(0.3)
            collector.kill()
            collector.start(listen=port)
            assert sum(s.acknowledged - s.first for s in senders) >= before
        for sender in senders:
            sender.join(120)
            assert not sender.is_alive(), collector.log()
            assert not sender.problems
        for sender in senders:
            assert history(port, "chaos", "app.Item", sender.process.version) == [
                (sender.first + i, i + 1) for i in range(1500)]


def test_the_database_may_die_and_come_back():
    with Collector() as collector:
        senders = [Sender(collector.address, number, 1200) for number in range(1, 3)]
        for sender in senders:
            sender.start()
        for round_ in range(3):
            time.sleep(0.3)
            pid = (collector.folder / "data/postgres/postmaster.pid").read_text().split()[0]
            os.kill(int(pid), 9)
            collector.wait_log("postgres.back", round_ + 1)
        for sender in senders:
            sender.join(120)
            assert not sender.is_alive(), collector.log()
            assert not sender.problems
            assert history(collector.address, "chaos", "app.Item", sender.process.version) == [
                (sender.first + i, i + 1) for i in range(1200)]


# ---- other databases ---------------------------------------------------------------------------

def database_names(collector):
    """How a collector can be told to use the private database of another one."""
    socket = collector.folder / "data/socket"
    dsn = f"host='{socket}' user=heapfleet dbname=postgres"
    url = f"postgresql://heapfleet@/postgres?host={socket}"
    wrong = "postgresql:///wrong?host=/nonexistent"
    variables = {"PGHOST": str(socket), "PGUSER": "heapfleet", "PGDATABASE": "postgres"}
    return {
        "--dsn wins": (["--dsn", dsn], {"HEAPFLEET_DSN": wrong, "DATABASE_URL": wrong}),
        "HEAPFLEET_DSN wins": ([], {"HEAPFLEET_DSN": url, "DATABASE_URL": wrong}),
        "DATABASE_URL wins": ([], {"DATABASE_URL": url, "PGHOST": "/nonexistent"}),
        "PG variables": ([], variables),
    }


@pytest.mark.parametrize("how", ["--dsn wins", "HEAPFLEET_DSN wins", "DATABASE_URL wins",
                                 "PG variables"])
def test_the_database_may_be_somebody_elses(collector, how):
    options, environment = database_names(collector)[how]
    other = Collector(options=options, environment=environment, private=False)
    with other:
        assert 'database="given"' in other.log()
        stream, process = Stream(other.address), Process(1, service="given " + how)
        process.announce(stream)
        first = start_sequence()
        last = send_growth(stream, process, first, 3)
        stream.wait_ack(last)
        stream.close()
    assert len(history(collector.address, "given " + how, "app.Item")) == 3


def test_a_data_directory_is_not_confused_by_the_environment():
    with Collector(environment={"PGSERVICE": "nonexistent", "PGHOSTADDR": "127.0.0.1",
                                "DATABASE_URL": "postgresql:///wrong?host=/nonexistent"}) as own:
        assert not ask(own.address, "ListServices", query.ListServicesRequest(),
                       query.ListServicesResponse).services


def test_two_collectors_serve_one_database(collector):
    """Agents move from one to the other when it is killed."""
    options, environment = database_names(collector)["--dsn wins"]
    with Collector(options=options, environment=environment, private=False) as second:
        senders = [Sender(second.address, number, 1000, service="moving")
                   for number in range(1, 4)]
        for sender in senders:
            sender.start()
        time.sleep(0.5)
        second.kill()
        for sender in senders:
            sender.address = collector.address
        for sender in senders:
            sender.join(120)
            assert not sender.is_alive()
            assert not sender.problems
            assert history(collector.address, "moving", "app.Item", sender.process.version) == [
                (sender.first + i, i + 1) for i in range(1000)]


def test_two_agents_may_watch_one_process(collector):
    """Over two collectors, with their own numbers for the types, at the same time."""
    options, environment = database_names(collector)["--dsn wins"]
    with Collector(options=options, environment=environment, private=False) as second:
        uuid, first = os.urandom(16), start_sequence()
        names = [f"app.Type{i}" for i in range(60)]
        agents = []
        for i, address in enumerate((collector.address, second.address)):
            process = Process(1, service="watched", uuid=uuid, started_ms=1760000000000,
                              names=names if i == 0 else names[::-1])
            stream = Stream(address)
            stream.wait_welcome()
            stream.send(process_started=ingest.ProcessStarted(
                process=1, instance_id=uuid, service="watched", version="v1",
                started_ms=process.started_ms))
            agents.append((stream, process, first + i * 1000000))
        for known in range(10, 61, 10):
            for stream, process, start in agents:
                stream.send(type_definitions=ingest.TypeDefinitions(
                    process=1, first_index=known - 10, names=process.names[known - 10:known]))
                process.values = [(int(name[8:]) + 1, 8) for name in process.names[:known]]
                stream.outgoing.put(process.snapshot(start + known))
        for stream, process, start in agents:
            stream.wait_ack(start + 60)
            assert not stream.refused
            stream.close()
        for i, name in enumerate(names):
            counts = {count for _, count in history(collector.address, "watched", name)}
            assert counts <= {0, i + 1} and i + 1 in counts, name


# ---- a database that is away -------------------------------------------------------------------

def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_memory_is_bounded_while_the_database_is_away():
    """Its processes are stopped: nobody answers, and no connection breaks."""
    with Collector(options=["--pending-bytes", "4M"]) as collector:
        streams = [Stream(collector.address) for _ in range(4)]
        processes = [Process(n, service="flood", version=f"v{n}",
                             names=[f"app.Type{i}" for i in range(3000)]) for n in range(1, 5)]
        firsts = []
        for stream, process in zip(streams, processes):
            process.announce(stream)
            firsts.append(start_sequence())
            stream.outgoing.put(process.snapshot(firsts[-1]))
        for stream, first in zip(streams, firsts):
            stream.wait_ack(first)
        before = resident_bytes(collector.child.pid)
        frozen = freeze(collector)
        try:
            for number in range(1, 1500):  # 4 streams x 1,500 x 12 KB: 72 MB
                for stream, process, first in zip(streams, processes, firsts):
                    process.values = [(number * 7 + i, 10 ** 6 + i) for i in range(3000)]
                    if number % 100 == 1:
                        body = keyframe(process.values)
                    stream.send(sequence=first + number, snapshot=ingest.Snapshot(
                        process=process.number, time_ms=int(time.time() * 1000), body=body,
                        coverage=10000))
            time.sleep(2)
            grown = resident_bytes(collector.child.pid) - before
            assert grown < 40 * 1024 * 1024, f"{grown >> 20} MB more"
        finally:
            thaw(frozen)
        for stream, first in zip(streams, firsts):
            stream.wait_ack(first + 1499, 120)
            assert not stream.refused
            stream.close()
        for number in range(1, 5):
            assert len(history(collector.address, "flood", "app.Type0", f"v{number}")) == 1500


@pytest.fixture
def small_disk():
    """A file system of 160 MB."""
    folder = new_folder()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=711", "tmpfs", folder],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"a small disk needs the right to mount one: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def fill_disk(path):
    with open(path, "wb") as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            pass


def test_a_full_disk_holds_facts_back_and_loses_none(small_disk):
    with Collector(folder=small_disk) as collector:
        senders = [Sender(collector.address, number, 1500, service="full") for number in (1, 2)]
        for sender in senders:
            sender.start()
        while not all(s.stream and s.stream.acknowledged for s in senders):
            time.sleep(0.02)
        fill_disk(small_disk / "ballast")
        collector.wait_log("store.away")
        assert "No space left on device" in collector.log()
        (small_disk / "ballast").unlink()
        for sender in senders:
            sender.join(120)
            assert not sender.is_alive(), collector.log()
            assert not sender.problems
            assert history(collector.address, "full", "app.Item", sender.process.version) == [
                (sender.first + i, i + 1) for i in range(1500)]


# ---- the command line --------------------------------------------------------------------------

def run(*arguments, **environment):
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(("PG", "HEAPFLEET_", "DATABASE_URL"))}
    return subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, timeout=60,
                          env={**clean, **environment})


@pytest.mark.parametrize("arguments,code,words", [
    (["--version"], 0, "heapfleet-collector "),
    (["--help"], 0, "serve"),
    (["serve", "--help"], 0, "--data-dir"),
    ([], 2, "usage"),
    (["sevre"], 2, "there is no command 'sevre': did you mean 'serve'?"),
    (["serve", "--lisen", "x"], 2, "--listen"),
    (["serve", "--listen", "nonsense"], 2, "nonsense"),
    (["serve", "--listen", "0.0.0.0:0", "--data-dir", "/nowhere"], 2, "--insecure"),
    (["serve", "--dsn", "x", "--data-dir", "y"], 2, "one of them"),
    (["serve", "--horizon", "soon"], 2, "soon"),
    (["serve", "--log-level", "loud"], 2, "log level"),
    (["serve", "--listen", "127.0.0.1:0", "--dsn", "host=/nonexistent"], 1, "/nonexistent"),
    (["serve", "--listen", "127.0.0.1:0", "--data-dir", "/proc/heapfleet"], 1, "/proc/heapfleet"),
    (["migrate"], 2, "--dsn"),
    (["replay", "--horizon", "500ms", "/dev/null"], 2, "--horizon is at least 1s"),
    (["replay", "--horizon", "12", "/dev/null"], 0, "the horizon is 12 s; a number without a unit is"),
])
def test_the_command_line_says_what_is_wrong(arguments, code, words):
    result = run(*arguments)
    assert result.returncode == code, result.stderr
    assert words in result.stdout + result.stderr
    if code:
        assert result.stderr.startswith(("heapfleet-collector", "usage", "20"))


def test_replay_says_that_a_file_is_not_sorted(tmp_path):
    file = tmp_path / "unsorted.csv"
    file.write_text("1760003600,shop,v1,a/1,shop.Cart,1,10\n1760000000,shop,v1,a/1,shop.Cart,1,10\n")
    result = run("replay", str(file))
    assert result.returncode == 0 and result.stdout == ""
    assert "1 of 2 lines are of a time before" in result.stderr, result.stderr


def test_a_service_is_forgotten_by_its_whole_name(collector):
    dsn = f"host='{collector.folder / 'data/socket'}' user=heapfleet dbname=postgres"
    stream, process = Stream(collector.address), Process(1, service="leaver")
    process.announce(stream)
    stream.wait_ack(send_growth(stream, process, start_sequence(), 3))
    stream.close()
    wrong = run("forget", "leaver", "--dsn", dsn)
    assert wrong.returncode == 3 and "in namespace '', environment ''" in wrong.stderr
    right = run("forget", "leaver", "--environment", "test", "--namespace", "-", "--dsn", dsn)
    assert right.returncode == 0, right.stderr
    services = ask(collector.address, "ListServices", query.ListServicesRequest(),
                   query.ListServicesResponse).services
    assert "leaver" not in [service.name for service in services]


def test_what_an_agent_sends_of_a_forgotten_service_is_not_acknowledged_until_it_is_announced_anew(collector):
    """What it sent before was the service's that is gone."""
    dsn = f"host='{collector.folder / 'data/socket'}' user=heapfleet dbname=postgres"
    stream, process = Stream(collector.address), Process(1, service="returner")
    other, stays = Stream(collector.address), Process(1, service="neighbour")
    for one, its in ((stream, process), (other, stays)):
        its.announce(one)
    last = send_growth(stream, process, start_sequence(), 3)
    stream.wait_ack(last)
    assert run("forget", "returner", "--environment", "test", "--dsn", dsn).returncode == 0
    stream.outgoing.put(process.snapshot(last + 1))
    assert stream.ended.wait(30) and stream.acknowledged == last
    assert stream.error.code() == grpc.StatusCode.UNAVAILABLE and "forgotten" in stream.error.details()
    again = Stream(collector.address, agent_id=stream.agent_id)
    again.wait_welcome()
    assert again.welcome.committed_sequence <= last
    process.announce(again)
    again.outgoing.put(process.snapshot(last + 1, whole=True))
    again.wait_ack(last + 1)
    assert not again.refused
    other.wait_ack(send_growth(other, stays, start_sequence(), 2))
    services = ask(collector.address, "ListServices", query.ListServicesRequest(),
                   query.ListServicesResponse).services
    assert {"returner", "neighbour"} <= {service.name for service in services}


URL = "postgresql://u:hunter2@h/x"


@pytest.mark.parametrize("arguments,environment,dsn,folder", [
    ([], {"DATABASE_URL": URL}, "# dsn is hidden: DATABASE_URL has it\n", "# data-dir is not set"),
    ([], {"PGHOST": "h"}, "# dsn is what libpq makes of PGHOST", "# data-dir is not set"),
    (["--data-dir", "/d"], {"HEAPFLEET_DSN": URL}, "# dsn is not used: data-dir", "data-dir = /d "),
    (["--dsn", URL], {"HEAPFLEET_DATA_DIR": "/d"}, "# dsn is hidden ", "# data-dir is not used: dsn"),
    (["--data-dir", "/d"], {"DATABASE_URL": URL}, "# dsn is not set", "data-dir = /d "),
])
def test_which_database_is_said_and_not_its_password(arguments, environment, dsn, folder):
    result = run("serve", "--print-config", *arguments, **environment)
    assert result.returncode == 0, result.stderr
    assert dsn in result.stdout and folder in result.stdout and "hunter2" not in result.stdout


def test_two_collectors_do_not_share_a_data_directory(collector):
    result = run("serve", "--listen", "127.0.0.1:0", "--data-dir", str(collector.folder / "data"))
    assert result.returncode == 1
    assert f"another collector (pid {collector.child.pid}) uses" in result.stderr


def test_a_port_in_use_is_said(collector):
    folder = collector.folder / "second"
    result = run("serve", "--listen", collector.address, "--data-dir", str(folder))
    assert result.returncode == 1
    assert collector.address.split(":")[1] in result.stderr


# ---- history in one call -----------------------------------------------------------------------

@pytest.fixture(scope="module")
def crowd(collector):
    """The request for 6,000 snapshots in pages of 100: more than the client's window takes at once."""
    stream, process = Stream(collector.address), Process(1, service="crowd")
    process.announce(stream)
    first = start_sequence() - 6000
    for start in range(first, first + 6000, 1000):
        process.base = None  # a keyframe: chains have an end
        last = send_growth(stream, process, start, 1000)
    stream.wait_ack(last)
    assert stream.refused == {}
    stream.close()
    now_ms = int(time.time() * 1000)
    return query.GetHistoryRequest(service=query.ServiceRef(name="crowd"), type="app.Item", raw=True,
                                   from_ms=now_ms - 86400000, to_ms=now_ms + 60000, page_size=100)


def asked(request, **more):
    copy = query.GetHistoryRequest()
    copy.CopyFrom(request)
    copy.MergeFrom(query.GetHistoryRequest(**more))
    return copy


def narrow(collector):
    return grpc.insecure_channel(collector.address, options=[
        ("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)])


def test_a_stream_is_all_pages(collector, crowd):
    pages, token = [], ""
    while not pages or token:
        pages.append(ask(collector.address, "GetHistory", asked(crowd, page_token=token), query.GetHistoryResponse))
        token = pages[-1].next_page_token
    assert len(pages) == 60
    with narrow(collector) as channel:
        assert list(stream_history(channel, crowd)) == pages
        rest = stream_history(channel, asked(crowd, page_token=pages[40].next_page_token))
        assert list(rest) == pages[41:]


def test_a_stream_may_be_left_in_its_middle(collector, crowd):
    """More of them than may be open at once, so that one that stayed would be noticed."""
    with narrow(collector) as channel:
        for _ in range(40):
            call = stream_history(channel, crowd)
            assert len(next(call).points) == 100
            call.cancel()
        assert sum(len(page.points) for page in stream_history(channel, crowd)) == 6000


def test_a_stream_that_nobody_reads_keeps_its_deadline(collector, crowd):
    with narrow(collector) as channel:
        call = stream_history(channel, crowd, timeout=2)
        next(call)
        assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # waits for it
        assert sum(len(page.points) for page in stream_history(channel, crowd)) == 6000


def test_a_stream_of_nothing_says_why(collector, crowd):
    with narrow(collector) as channel:
        for request, code, words in [
                (asked(crowd, service=query.ServiceRef(name="nobody")), grpc.StatusCode.NOT_FOUND, "nobody"),
                (asked(crowd, page_token="soon"), grpc.StatusCode.INVALID_ARGUMENT, "'soon' is not a page token"),
                (asked(crowd, page_size=50001), grpc.StatusCode.INVALID_ARGUMENT, "at most 50000")]:
            with pytest.raises(grpc.RpcError) as error:
                next(stream_history(channel, request))
            assert error.value.code() is code and words in error.value.details()


# ---- the rest of it ----------------------------------------------------------------------------

@pytest.mark.parametrize("form, printed", [
    ("csv", "time,count,bytes,version,instance,sequence\n1970-01-01T00:00:01.000Z,3,96,v1,aa,7\n"),
    ("json", '[\n  {"time": "1970-01-01T00:00:01.000Z", "count": 3, "bytes": 96, "version": "v1", "instance": "aa", '
             '"sequence": 7}'),
    ("table", ""),  # whose columns are as wide as all rows want
])
def test_snapshots_are_printed_page_by_page(form, printed):
    def answer(request, context):
        if request.page_token:
            context.abort(grpc.StatusCode.UNAVAILABLE, "no second page")
        point = query.HistoryPoint(time_ms=1000, count=3, bytes=96, version="v1", instance="aa", sequence=7)
        return query.GetHistoryResponse(points=[point], next_page_token="1.1")

    method = grpc.unary_unary_rpc_method_handler(answer, query.GetHistoryRequest.FromString,
                                                 query.GetHistoryResponse.SerializeToString)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("heapfleet.v1.Query", {"GetHistory": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        result = subprocess.run([BIN / "heapfleet", "history", "shop", "--raw", "-o", form, "--collector",
                                 f"127.0.0.1:{port}"], capture_output=True, text=True, check=False)
    finally:
        server.stop(None)
    assert result.stdout == printed
    assert result.returncode == 1 and "no second page" in result.stderr
