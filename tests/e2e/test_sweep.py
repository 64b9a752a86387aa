"""Collectors that share the judging of services, and one that stands still in the middle of it."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from agent_client import Process, Stream
from agent_process import clean_environment, wait_until
from collector_process import new_folder
from private_postgres import PrivatePostgres
from watched_collector import Watched

pytestmark = pytest.mark.postgres

EVERY_MS = 200
LOST = "heapfleet_collector_sweep_claims_lost_total"
FAST = ["--horizon", "30s", "--sweep-every", "500ms", "--http", "127.0.0.1:0"]


class Leak:
    """A process that gains as many objects with each snapshot, in the past minute."""

    def __init__(self):
        self.begin_ms = int(time.time() * 1000) - 90_000
        self.process = Process(1, service="shop", started_ms=self.begin_ms, names=("shop.Cart", "str"))
        self.sent = 0

    def live(self, address, count):
        """Its next snapshots, until they are stored."""
        stream = Stream(address, agent_id=os.urandom(16))
        stream.wait_welcome()
        self.process.announce(stream)
        self.process.base = None
        sequence = self.begin_ms * 1024 + self.sent
        for _ in range(count):
            self.sent, sequence = self.sent + 1, sequence + 1
            items = 1000 + 40 * self.sent
            self.process.values = [(items, items * 56), (10, 600)]
            stream.outgoing.put(self.process.snapshot(
                sequence, time_ms=self.begin_ms + EVERY_MS * self.sent))
        stream.wait_ack(sequence)
        stream.close()


class Database(PrivatePostgres):
    def lock(self, table):
        """Nobody reads it until the answer is closed."""
        holder = subprocess.Popen(["psql", "-qAtX", self.dsn], stdin=subprocess.PIPE, text=True,
                                  stdout=subprocess.PIPE, env=clean_environment())
        holder.stdin.write(f"BEGIN; LOCK TABLE heapfleet.{table}; SELECT 'held';\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        return holder

    def judge(self):
        return self.sql("SELECT collector_id FROM heapfleet.sweep_claim")

    def findings(self):
        return self.sql("SELECT * FROM heapfleet.finding ORDER BY type, first_seen_ms")

    def newest(self):
        return int(self.sql("SELECT coalesce(max(last_seen_ms), 0) FROM heapfleet.finding"))

    def waits_for(self, table):
        return self.sql("SELECT count(*) FROM pg_locks WHERE NOT granted "
                        f"AND relation = 'heapfleet.{table}'::regclass") != "0"


@pytest.fixture
def database():
    folder = new_folder()
    server = Database(folder).create().start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def collector(database):
    return Watched(options=["--dsn", database.dsn, *FAST], private=False)


def test_who_stood_still_says_nothing_of_what_another_one_judges_now(database):
    leak = Leak()
    with collector(database) as first:
        leak.live(first.address, 150)
        wait_until(lambda: database.newest() > 0, "a finding")
        judge = database.judge()
        with collector(database) as second:
            holder = database.lock("heap_chunk")
            leak.live(first.address, 50)
            wait_until(lambda: database.waits_for("heap_chunk"), "a reading that waits")
            os.kill(first.child.pid, signal.SIGSTOP)
            try:
                holder.communicate("COMMIT;\n")
                leak.live(second.address, 100)
                before_ms = database.newest()
                wait_until(lambda: database.judge() != judge, "a take-over")
                wait_until(lambda: database.newest() > before_ms, "a judgement of the successor's")
                said = database.findings()
            finally:
                os.kill(first.child.pid, signal.SIGCONT)
            first.wait_log("sweep.claims_lost")
            first.wait_metric(LOST, 1)
            leak.live(first.address, 10)
            wait_until(lambda: database.findings() != said, "a judgement of what came since")
            assert sum("sweep.claims_lost" in line for line in first.lines) == 1
            assert first.metrics()[LOST] == 1 and second.metrics()[LOST] == 0
            assert database.judge() != judge


def test_a_killed_collectors_services_are_taken_over(database):
    leak = Leak()
    first = collector(database).start()
    leak.live(first.address, 200)
    wait_until(lambda: database.newest() > 0, "a finding")
    found = database.sql("SELECT type, first_seen_ms FROM heapfleet.finding")
    judge = database.judge()
    with collector(database) as second:
        first.kill()
        leak.live(second.address, 100)
        seen_ms = database.newest()
        wait_until(lambda: database.judge() != judge, "a take-over")
        wait_until(lambda: database.newest() > seen_ms, "a judgement of who is left")
        assert set(found.splitlines()) <= set(database.sql(
            "SELECT type, first_seen_ms FROM heapfleet.finding").splitlines())
        assert database.sql("SELECT count(*) FROM heapfleet.finding WHERE type = 'shop.Cart'") == "1"
