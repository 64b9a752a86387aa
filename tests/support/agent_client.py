"""A client that plays agent: the ingest protocol by hand, over python3-grpcio.

It shares no code with the real agent, the snapshot codec included, so that both sides of the
protocol are checked against its description and not against each other.
"""
import importlib
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import grpc

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def load_messages(*paths):
    """The messages of .proto files, named below proto/, as modules of Python."""
    folder = tempfile.mkdtemp(prefix="heapfleet-proto-")
    modules = []
    try:
        for path in (ROOT / "proto" / path for path in paths):
            subprocess.run(["protoc", "-I", path.parent, f"--python_out={folder}", path.name],
                           check=True)
            sys.path.insert(0, folder)
            modules.append(importlib.import_module(path.stem + "_pb2"))
            sys.path.remove(folder)
    finally:
        shutil.rmtree(folder)
    return modules


ingest, query = load_messages("heapfleet/v1/ingest.proto", "heapfleet/v1/query.proto")


# ---- the snapshot codec ------------------------------------------------------------------------

def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return varint(value * 2 if value >= 0 else -value * 2 - 1)


def keyframe(values):
    """`values`: a list of (count, bytes), by type index."""
    body = b"\x10" + varint(len(values))
    return body + b"".join(varint(c) + varint(b) for c, b in values)


def delta(old, new):
    body, skipped = b"\x12" + varint(len(new)), 0
    for i, (count, size) in enumerate(new):
        old_count, old_size = old[i] if i < len(old) else (0, 0)
        if (count, size) == (old_count, old_size):
            skipped += 1
            continue
        unit = old_size // old_count if old_count else 0
        change = count - old_count
        residual = size - old_size - change * unit
        body += varint(skipped * 2 + (residual != 0)) + zigzag(change)
        body += zigzag(residual) if residual else b""
        skipped = 0
    return body


# ---- one stream --------------------------------------------------------------------------------

class Stream:
    """One call of Ingest.Stream. Answers are gathered by a thread."""

    def __init__(self, address, agent_id=None, protocol=1, hello=True, channel=None,
                 metadata=None, clock_ms=0):
        self.agent_id = agent_id or os.urandom(16)
        self.channel = channel or grpc.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.outgoing = queue.Queue()
        self.answers = queue.Queue()
        self.acknowledged = 0
        self.refused = {}
        self.requests = []
        self.welcome = None
        self.error = None
        self.ended = threading.Event()
        method = self.channel.stream_stream(
            "/heapfleet.v1.Ingest/Stream",
            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=ingest.CollectorMessage.FromString)
        self.call = method(iter(self.outgoing.get, None), metadata=metadata)
        self.changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        if hello:
            self.send(hello=ingest.Hello(protocol=protocol, agent_id=self.agent_id,
                                         agent_version="test", host="test-host", time_ms=clock_ms))

    def _read(self):
        try:
            for message in self.call:
                with self.changed:
                    self._take(message)
                    self.changed.notify_all()
        except grpc.RpcError as error:
            self.error = error
        with self.changed:
            self.ended.set()
            self.changed.notify_all()

    def _take(self, message):
        kind = message.WhichOneof("body")
        if kind == "welcome":
            self.welcome = message.welcome
        elif kind == "ack":
            assert message.ack.sequence >= self.acknowledged, "acknowledgements go backwards"
            self.acknowledged = message.ack.sequence
        elif kind == "refused":
            self.refused[message.refused.sequence] = message.refused.reason
        elif kind == "request":
            self.requests.append(message.request.keyframe_of_process)

    def send(self, sequence=0, **body):
        self.outgoing.put(ingest.AgentMessage(sequence=sequence, **body))

    def send_raw(self, data):
        self.outgoing.put(data)

    def wait(self, condition, seconds=30):
        """Until condition() holds; an early end of the stream is a failure."""
        with self.changed:
            ok = self.changed.wait_for(lambda: condition() or self.ended.is_set(), seconds)
            if not condition():
                raise AssertionError(f"stream ended: {self.error}" if ok else "nothing came")

    def wait_welcome(self):
        self.wait(lambda: self.welcome is not None)
        return self.welcome

    def wait_ack(self, sequence, seconds=30):
        self.wait(lambda: self.acknowledged >= sequence, seconds)

    def wait_end(self, seconds=30):
        """The status code with which the collector ended the call."""
        assert self.ended.wait(seconds), "the stream did not end"
        return self.error.code() if self.error else grpc.StatusCode.OK

    def half_close(self):
        self.outgoing.put(None)

    def close(self):
        self.call.cancel()
        self.channel.close()


class Process:
    """A process whose heap we make up. `values` is what the next snapshot will say."""

    def __init__(self, number, service="shop", version="v1", uuid=None, started_ms=None,
                 names=("app.Item", "str")):
        self.number = number
        self.uuid = uuid or os.urandom(16)
        self.service, self.version = service, version
        self.started_ms = started_ms or int(time.time() * 1000)
        self.names = list(names)
        self.values = [(0, 0)] * len(self.names)
        self.base = None  # (sequence, values) of the newest snapshot

    def announce(self, stream, **more):
        stream.send(process_started=ingest.ProcessStarted(
            process=self.number, instance_id=self.uuid, service=self.service,
            version=self.version, environment="test", host="test-host", pid=self.number,
            runtime="cpython", runtime_version="3.11.2", started_ms=self.started_ms, **more))
        stream.send(type_definitions=ingest.TypeDefinitions(
            process=self.number, first_index=0, names=self.names))

    def snapshot(self, sequence, whole=False, time_ms=None):
        """The message; the chain goes on from it."""
        base = None if whole else self.base
        body = delta(base[1], self.values) if base else keyframe(self.values)
        message = ingest.AgentMessage(sequence=sequence, snapshot=ingest.Snapshot(
            process=self.number, time_ms=time_ms or int(time.time() * 1000),
            base_sequence=base[0] if base else 0, body=body, coverage=10000))
        self.base = (sequence, list(self.values))
        return message


# ---- questions ---------------------------------------------------------------------------------

def ask(address, method, request, answer):
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/heapfleet.v1.Query/{method}",
                                   request_serializer=type(request).SerializeToString,
                                   response_deserializer=answer.FromString)
        return call(request, timeout=20)


def stream_history(channel, request, timeout=20):
    """The call: its messages are the pages."""
    return channel.unary_stream("/heapfleet.v1.Query/StreamHistory",
                                request_serializer=query.GetHistoryRequest.SerializeToString,
                                response_deserializer=query.GetHistoryResponse.FromString)(request, timeout=timeout)


def history(address, service, type_name, version=""):
    """Every stored snapshot of the type: [(sequence, count)]."""
    answer = ask(address, "GetHistory", query.GetHistoryRequest(
        service=query.ServiceRef(name=service), type=type_name, raw=True, version=version,
        from_ms=int(time.time() * 1000) - 86400000, to_ms=int(time.time() * 1000) + 60000),
        query.GetHistoryResponse)
    return sorted((p.sequence, p.count) for p in answer.points)
