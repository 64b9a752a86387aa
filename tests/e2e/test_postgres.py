"""The collector with a PostgreSQL of somebody else: failover, a pooler, a role without rights."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

from agent_client import Process, Stream
from as_user import as_user
from collector_process import PROGRAM, Collector, new_folder
from private_postgres import PrivatePostgres

pytestmark = pytest.mark.postgres


@contextlib.contextmanager
def servers(count=1):
    folder = new_folder()
    made = []
    try:
        for i in range(count):
            place = folder / f"pg{i}"
            place.mkdir()
            made.append(PrivatePostgres(place))
        yield made
    finally:
        for server in made:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Sender:
    """One process that counts its snapshots, over as many streams as it takes."""

    def __init__(self, collector):
        self.collector, self.stream = collector, None
        self.process = Process(1, service="shop", names=["app.Item"])
        self.agent_id = os.urandom(16)
        self.sequence = int(time.time() * 1000) * 1024
        self.sent = 0

    def connect(self):
        self.stream = Stream(self.collector.address, agent_id=self.agent_id)
        self.stream.wait_welcome()
        self.process.announce(self.stream)

    def send(self, count):
        for _ in range(count):
            self.sequence += 1
            self.sent += 1
            self.process.values = [(self.sent, self.sent * 56)]
            message = self.process.snapshot(self.sequence)
            self.stream.send_raw(message)

    def wait(self, seconds=60):
        self.stream.wait_ack(self.sequence, seconds)


def collector_for(dsn, *options):
    return Collector(private=False, options=("--dsn", dsn, "--batch-every", "20ms", *options))


STORED = "SELECT count(*) FROM heapfleet.snap_delta"


def test_a_failover_loses_nothing_that_was_acknowledged():
    with servers(2) as (primary, standby):
        primary.create().start()
        standby.create_standby(primary).start()
        dsn = (f"host={primary.folder},{standby.folder} user=heapfleet dbname=postgres "
               "target_session_attrs=read-write connect_timeout=5")
        with collector_for(dsn) as collector:
            sender = Sender(collector)
            sender.connect()
            sender.send(20)
            sender.wait()
            primary.kill()
            sender.send(20)  # nobody takes these yet
            time.sleep(0.5)
            assert sender.stream.acknowledged < sender.sequence
            standby.sql("ALTER SYSTEM RESET synchronous_standby_names")
            standby.sql("SELECT pg_promote()")
            sender.wait()
            sender.send(5)
            sender.wait()
            assert standby.sql(STORED) == "45"
            assert collector.stop() == 0


def test_a_restart_is_ridden_out():
    with servers() as (server,):
        server.create().start()
        with collector_for(server.dsn) as collector:
            sender = Sender(collector)
            sender.connect()
            for _ in range(3):
                sender.send(10)
                sender.wait()
                server.kill()
                sender.send(10)
                server.start()
                sender.wait()
            assert server.sql(STORED) == "60"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def pooler(server):
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not pathlib.Path(program).exists():
        pytest.skip("pgbouncer is not installed")
    port = free_port()
    settings = server.folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\npostgres = host={server.folder} user=heapfleet\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\nlogfile =\n")
    user = server.user
    prefix = as_user(user.pw_uid, user.pw_gid) if user else ()
    child = subprocess.Popen([*prefix, program, "-q", str(settings)], cwd="/")
    try:
        yield f"host=127.0.0.1 port={port} user=heapfleet dbname=postgres"
    finally:
        child.terminate()
        child.wait()


NOTE_SETTINGS = """
CREATE TABLE public.noted (commits text, prepared bigint);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.noted SELECT current_setting('synchronous_commit'), count(*)
    FROM pg_prepared_statements;
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT ON heapfleet.snap_delta EXECUTE FUNCTION public.note();
"""


@pytest.mark.parametrize("is_pooled", [False, True])
def test_synchronous_commit_is_on_whatever_the_role_says(is_pooled):
    with servers() as (server,), contextlib.ExitStack() as stack:
        server.create().start()
        server.sql("ALTER ROLE heapfleet SET synchronous_commit = off")
        dsn = stack.enter_context(pooler(server)) if is_pooled else server.dsn
        with collector_for(dsn) as collector:
            server.sql(NOTE_SETTINGS)
            sender = Sender(collector)
            sender.connect()
            for _ in range(4):
                sender.send(3)
                sender.wait()
        assert server.sql("SELECT DISTINCT commits FROM public.noted") == "on"
        if is_pooled:
            assert server.sql("SELECT max(prepared) FROM public.noted") == "0"


def test_a_pooler_in_transaction_mode_is_no_obstacle():
    with servers() as (server,):
        server.create().start()
        with pooler(server) as dsn:
            deadline = time.monotonic() + 20
            while subprocess.run(["pg_isready", "-q", "-d", dsn], check=False).returncode:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            with collector_for(dsn, "--compact-every", "200ms", "--compact-after", "0") as collector:
                sender = Sender(collector)
                sender.connect()
                sender.send(40)
                sender.wait()
                # as old as to be compacted at once
                old = Process(2, service="old", names=["app.Item"])
                old.announce(sender.stream)
                for i in range(5):
                    sender.sequence += 1
                    old.values = [(i + 1, 56 * (i + 1))]
                    sender.stream.send_raw(old.snapshot(
                        sender.sequence, time_ms=int(time.time() * 1000) - 86400000 + i * 1000))
                sender.wait()
                collector.wait_log("history.compacted")
                assert server.sql("SELECT sum(cardinality(heapfleet.raw_times(times))) FROM heapfleet.heap_chunk") == "5"
                assert collector.stop() == 0


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)


def test_commands_say_which_schema_there_is():
    with servers() as (server,):
        server.create().start()
        forget = "forget", "shop", "--dsn", server.dsn
        assert "there is no schema heapfleet" in run(*forget).stderr
        first = run("migrate", "--dsn", server.dsn)
        known = int(server.sql("SELECT max(version) FROM heapfleet.schema_version"))
        assert first.stdout == f"the schema is {known}; there was none\n"
        assert run("migrate", "--dsn", server.dsn).stdout == f"the schema is {known}, as it was\n"
        assert "there is no service 'shop'" in run(*forget).stderr
        server.sql(f"DELETE FROM heapfleet.schema_version WHERE version = {known}")
        refused = run(*forget)
        assert refused.returncode == 1
        assert f"has schema {known - 1}, and this program works on {known}" in refused.stderr


def test_a_collector_that_waits_for_a_migration_says_so():
    with servers() as (server,):
        server.create().start()
        with subprocess.Popen(["psql", "-XAtq", "-d", server.dsn], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as other:
            other.stdin.write("SELECT 'held' FROM pg_advisory_lock(29384657391743092);\n")
            other.stdin.flush()
            assert other.stdout.readline() == "held\n"
            collector = collector_for(server.dsn)
            starting = threading.Thread(target=collector.start)
            starting.start()
            try:
                collector.wait_log("schema.migrating from=0 to=")
                other.stdin.close()
                collector.wait_log("schema.migrated")
            finally:
                starting.join()
                collector.remove()


def test_a_partition_that_an_administrator_made_is_packed_and_dropped():
    with servers() as (server,):
        server.create().start()
        server.sql("CREATE ROLE keeper LOGIN")
        server.sql("CREATE DATABASE kept OWNER keeper")
        keeper = f"host={server.folder} user=keeper dbname=kept"
        assert run("migrate", "--dsn", keeper).returncode == 0
        day_ms = int(time.time() // 86400 - 3) * 86400000
        admin = f"host={server.folder} user=heapfleet dbname=kept"
        assert server.sql(f"SELECT heapfleet.make_partition('snap_delta', {day_ms})", admin) == "t"
        with collector_for(keeper, "--compact-every", "200ms", "--compact-after", "0") as collector:
            sender = Sender(collector)
            sender.connect()
            sender.process.values = [(1, 56)]
            sender.sequence += 1
            sender.stream.send_raw(sender.process.snapshot(sender.sequence, time_ms=day_ms + 1000))
            sender.wait()
            collector.wait_log("partitions_dropped=1")
            assert server.sql("SELECT count(*) FROM heapfleet.heap_chunk", keeper) == "1"
            assert "history.failed" not in collector.log()


def test_each_failure_of_housekeeping_is_told_once():
    with servers() as (server,):
        server.create().start()
        with collector_for(server.dsn, "--compact-every", "100ms", "--log-level", "debug") as collector:
            server.sql("ALTER TABLE heapfleet.day_due RENAME TO was")
            collector.wait_log("'heapfleet.day_due' does not exist", times=3)
            server.sql("ALTER VIEW heapfleet.partition RENAME TO were")
            collector.wait_log("'heapfleet.partition' does not exist", times=3)
            server.sql("ALTER VIEW heapfleet.were RENAME TO partition")
            server.sql("ALTER TABLE heapfleet.was RENAME TO day_due")
            collector.wait_log("history.works_again")
        told = [line for line in collector.lines if "history.failed" in line and " warn " in line]
        assert "day_due" in told[0] and "partition" in told[1]
        assert all(a.split("reason=")[1] != b.split("reason=")[1] for a, b in zip(told, told[1:]))


def test_a_role_without_rights_is_told_which():
    with servers() as (server,):
        server.create().start()
        server.sql("CREATE ROLE stranger LOGIN")
        stranger = f"host={server.folder} user=stranger dbname=postgres"
        run = subprocess.run([PROGRAM, "migrate", "--dsn", stranger], capture_output=True, text=True, check=False)
        assert run.returncode != 0
        assert "permission denied for database postgres" in run.stderr
        assert subprocess.run([PROGRAM, "migrate", "--dsn", server.dsn], check=False).returncode == 0
        # one who may read and not write: acknowledgements are withheld, and the log says why
        server.sql("GRANT USAGE ON SCHEMA heapfleet TO stranger; "
                   "GRANT SELECT ON ALL TABLES IN SCHEMA heapfleet TO stranger; "
                   "GRANT INSERT, UPDATE ON heapfleet.service, heapfleet.deployment, heapfleet.type, "
                   "heapfleet.instance, heapfleet.agent TO stranger; "
                   "GRANT USAGE ON ALL SEQUENCES IN SCHEMA heapfleet TO stranger")
        with collector_for(stranger) as collector:
            sender = Sender(collector)
            sender.connect()
            sender.send(3)
            collector.wait_log("permission denied for table snap_delta")
            assert sender.stream.acknowledged < sender.sequence
            server.sql("GRANT INSERT ON heapfleet.snap_delta TO stranger")
            server.sql("DO $$ BEGIN PERFORM heapfleet.make_partition('snap_delta', "
                       "(extract(epoch FROM now()) * 1000)::bigint); END $$")
            sender.wait()
