"""heapfleet-swarm as a child, and its ledger against the database: nothing lost, nothing doubled."""
import collections
import json
import pathlib
import subprocess

from collector_process import BIN

PROGRAM = BIN.parent / "tests" / "heapfleet-swarm"

Account = collections.namedtuple("Account", "snapshots objects bytes")
Verdict = collections.namedtuple("Verdict", "acknowledged lost doubled wrong")


class Swarm:
    """`targets`: addresses of collectors. Each option as on the command line, '_' for '-'."""

    def __init__(self, folder, targets, **options):
        self.ledger = pathlib.Path(folder) / "ledger"
        command = [str(PROGRAM), "--output", "json", "--ledger", str(self.ledger)]
        for target in targets:
            command += ["--target", target]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self, seconds=600):
        """Its figures; a swarm that gave up is a failure."""
        out, err = self.child.communicate(timeout=seconds)
        if self.child.returncode:
            raise AssertionError(f"the swarm ended with {self.child.returncode}: {err}\n{out}")
        return json.loads(out)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.communicate()


def dsn_of(data_dir):
    """How to reach the private database of a collector."""
    return f"port=5432 user=heapfleet dbname=postgres host={pathlib.Path(data_dir).resolve() / 'socket'}"


def two_varints(text):
    numbers, value, shift = [], 0, 0
    for byte in bytes.fromhex(text):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value, shift = 0, 0
            if len(numbers) == 2:
                return numbers
    raise AssertionError(f"not two varints: {text}")


def stored(dsn):
    """uuid -> (its Account, its sequence numbers) as the database has them."""
    copy = ("COPY (SELECT replace(i.uuid::text, '-', ''), s.sequence, encode(substring(s.process FOR 20), 'hex') "
            "FROM heapfleet.snap_delta s JOIN heapfleet.instance i "
            "ON (i.service_id, i.id) = (s.service_id, s.instance_id)) TO STDOUT")
    found = {}
    with subprocess.Popen(["psql", "-qXAt", "-d", dsn, "-c", copy], stdout=subprocess.PIPE, text=True) as psql:
        for line in psql.stdout:
            uuid, sequence, process = line.split("\t")
            objects, size = two_varints(process.strip())
            account, sequences = found.setdefault(uuid, ([0, 0, 0], set()))
            for i, value in enumerate((1, objects, size)):
                account[i] += value
            sequences.add(sequence)
    assert psql.returncode == 0, "psql failed"
    return {uuid: (Account(*account), sequences) for uuid, (account, sequences) in found.items()}


def judge(ledger, dsn):
    """What the swarm was promised, beside what the database holds. 0 everywhere but in the first is right."""
    database, total, lost, doubled, wrong = stored(dsn), 0, 0, 0, 0
    for line in ledger.read_text().splitlines():
        uuid, *numbers = line.split()
        promised = Account(*map(int, numbers))
        held, sequences = database.pop(uuid, (Account(0, 0, 0), set()))
        total += promised.snapshots
        lost += max(0, promised.snapshots - len(sequences))
        doubled += held.snapshots - len(sequences)
        # everything was acknowledged in the end: there is nothing that may be more
        doubled += max(0, len(sequences) - promised.snapshots)
        wrong += held.snapshots == promised.snapshots and held != promised
    return Verdict(total, lost, doubled, wrong)
