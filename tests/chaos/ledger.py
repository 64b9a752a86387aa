"""What agents sent and collectors promised, as it went over the wire, beside what the database holds.

A promise is an Ack, or the number in a Welcome: everything of that agent run up to there is stored,
or was refused. The ledger is kept by the wire between the two, so it trusts neither.
"""
import collections
import subprocess
import threading
import uuid

from agent_client import ingest

KEYFRAME = 0x10

Fact = collections.namedtuple("Fact", "process sums dropped")  # process: its uuid; sums None: its end


def varints(data):
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def unzigzag(value):
    return (value >> 1) ^ -(value & 1)


def decode(body, heap):
    """The heap after `body`: a list of (count, bytes)."""
    numbers = varints(body[1:])
    types = next(numbers)
    if body[0] == KEYFRAME:
        return [(next(numbers), next(numbers)) for _ in range(types)]
    heap = heap + [(0, 0)] * (types - len(heap))
    at = 0
    for gap in numbers:
        at += gap >> 1
        count, size = heap[at]
        change = unzigzag(next(numbers))
        residual = unzigzag(next(numbers)) if gap & 1 else 0
        heap[at] = (count + change, size + change * (size // count if count else 0) + residual)
        at += 1
    return heap


def sums(heap):
    return sum(count for count, _ in heap), sum(size for _, size in heap)


class Run:
    """An agent run, on a host of its own name."""

    def __init__(self):
        self.host = None
        self.facts = {}  # sequence -> Fact
        self.refused = {}
        self.promised = 0


class Talk:
    """One connection, which carries one stream after the other."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.streams = {}  # number -> [run, {process: uuid}, {process: heap}]

    def agent_said(self, stream, data):
        message = ingest.AgentMessage.FromString(data)
        kind = message.WhichOneof("body")
        with self.ledger.lock:
            if kind == "hello":
                run = self.ledger.runs[bytes(message.hello.agent_id)]
                run.host = message.hello.host
                self.streams[stream] = (run, {}, {})
                return
            run, processes, heaps = self.streams[stream]
            if kind == "process_started":
                started = message.process_started
                processes[started.process] = uuid.UUID(bytes=bytes(started.instance_id))
            elif kind == "snapshot":
                self._snapshot(run, processes, heaps, message)
            elif kind == "process_ended":
                run.facts[message.sequence] = Fact(processes[message.process_ended.process], None, 0)

    def _snapshot(self, run, processes, heaps, message):
        snapshot = message.snapshot
        heap = heaps[snapshot.process] = decode(bytes(snapshot.body), heaps.get(snapshot.process, []))
        fact = Fact(processes[snapshot.process], sums(heap), snapshot.dropped)
        before = run.facts.get(message.sequence)
        if before is not None and before[:2] != fact[:2]:
            self.ledger.problems.append(f"sent twice, and not the same: {message.sequence}")
        run.facts[message.sequence] = fact

    def collector_said(self, stream, data):
        message = ingest.CollectorMessage.FromString(data)
        kind = message.WhichOneof("body")
        with self.ledger.lock:
            run = self.streams[stream][0]
            if kind == "ack":
                self.ledger.acks += 1
                run.promised = max(run.promised, message.ack.sequence)
            elif kind == "welcome":
                run.promised = max(run.promised, message.welcome.committed_sequence)
            elif kind == "refused":
                run.refused[message.refused.sequence] = message.refused.reason


Verdict = collections.namedtuple("Verdict", "sent promised stored refused lost doubled wrong dangling holes dropped acks")


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.runs = collections.defaultdict(Run)
        self.acks = 0
        self.excused = {}  # host -> sequence
        self.problems = []

    def talk(self):
        return Talk(self)

    def excuse(self, host, sequence):
        """The agent there was killed with facts in its memory, after its disk had been full: numbers of
        runs that began before may be missing. Each other number was on its disk, and must come."""
        with self.lock:
            self.excused[host] = sequence

    def _holes(self, host, facts):
        if not facts or min(facts) < self.excused.get(host, 0):
            return 0
        return max(facts) - min(facts) + 1 - len(facts)

    def judge(self, dsn, at_the_end):
        """Promises taken before the database is asked. At the end all that was sent counts as promised."""
        with self.lock:
            runs = [(run.host, dict(run.facts), dict(run.refused), run.promised)
                    for run in self.runs.values()]
        rows, doubled, dangling = stored(dsn)
        sent = promised_count = refused_count = wrong = holes = dropped = 0
        lost = []
        for host, facts, refused, promised in runs:
            sent += len(facts)
            refused_count += len(refused)
            for sequence, fact in facts.items():
                dropped += fact.dropped
                held = rows.get((fact.process, sequence))
                if fact.sums is None or (sequence > promised and not at_the_end):
                    continue
                promised_count += sequence <= promised
                if held is None and sequence not in refused:
                    lost.append(sequence)
                wrong += held is not None and held != fact.sums
            holes += self._holes(host, facts)
        return Verdict(sent, promised_count, len(rows), refused_count, len(lost), doubled, wrong, dangling,
                       holes, dropped, self.acks)


def stored(dsn):
    """((uuid, sequence) -> (objects, bytes), rows too many, changes of what is not there)"""
    query = ("COPY (SELECT i.uuid, s.sequence, s.base_sequence, encode(substring(s.process FOR 20), 'hex') "
             "FROM heapfleet.snap_delta s JOIN heapfleet.instance i "
             "ON (i.service_id, i.id) = (s.service_id, s.instance_id)) TO STDOUT")
    out = subprocess.run(["psql", "-qXAt", "-d", dsn, "-c", query], check=True, capture_output=True, text=True)
    rows, bases, doubled = {}, [], 0
    for line in out.stdout.splitlines():
        name, sequence, base, process = line.split("\t")
        numbers = varints(bytes.fromhex(process))
        key = (uuid.UUID(name), int(sequence))
        doubled += key in rows
        rows[key] = (next(numbers), next(numbers))
        if int(base):
            bases.append((key[0], int(base)))
    return rows, doubled, sum(base not in rows for base in bases)
