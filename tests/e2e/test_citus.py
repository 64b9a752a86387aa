"""The collector on a real Citus cluster: it answers what it answers on one PostgreSQL given the same."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import citus_cluster
from agent_client import Process, Stream
from collector_process import BIN, PROGRAM, Collector, new_folder
from private_postgres import PrivatePostgres

pytestmark = pytest.mark.skipif(citus_cluster.citus_bin() is None,
                                reason="not covered: no Citus beside a PostgreSQL below /usr/lib/postgresql")

HOUR_MS = 3600 * 1000
START_MS = (int(time.time() * 1000) // HOUR_MS - 30) * HOUR_MS
SNAPSHOTS, EVERY_MS = 100, HOUR_MS // 4
SERVICES = ("shop", "search", "mail", "billing", "stock")
SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "collector" / "store" / "schema"
KEYS = ("SELECT DISTINCT result FROM run_command_on_shards('heapfleet.{}', $$SELECT pg_get_constraintdef(oid) "
        "FROM pg_constraint WHERE contype = 'p' AND conrelid = '%s'::regclass$$)")
FACTS = {"snap_delta", "heap_chunk", "instance", "instance_last", "deployment_hour", "hour_group", "heap_day", "finding",
         "finding_event", "mute", "alert"}


def migrate(dsn, *options):
    subprocess.run([PROGRAM, "migrate", "--dsn", dsn, *options], check=True)


@contextlib.contextmanager
def databases():
    """A PostgreSQL by itself and a Citus cluster, both with the schema in them. The workers come to a
    coordinator that has it already."""
    folder = new_folder()
    place = folder / "plain"
    place.mkdir()
    plain = PrivatePostgres(place, citus_cluster.citus_bin())
    cluster = citus_cluster.CitusCluster(folder)
    try:
        plain.create().start()
        cluster.start()
        migrate(plain.dsn)
        migrate(cluster.coordinator.dsn)
        cluster.add_workers()
        migrate(cluster.coordinator.dsn, "--citus")
        migrate(cluster.coordinator.dsn, "--citus")  # again: nothing is left to do
        yield plain, cluster
    finally:
        plain.stop()
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def pair():
    with databases() as (plain, cluster):
        yield plain, cluster.coordinator, cluster.workers


def processes():
    """Two versions of each service, two processes each; the same each time."""
    made = []
    for s, service in enumerate(SERVICES):
        for n in range(4):
            made.append(Process(len(made) + 1, service=service, version=f"v{n // 2 + 1}",
                                uuid=bytes([s + 1, n + 1] + [7] * 14), started_ms=START_MS - 1000 * (n + 1),
                                names=("app.Item", f"{service}.Own", "str")))
    return made


def send_all(collector, first):
    stream = Stream(collector.address, agent_id=bytes([3] * 16))
    stream.wait_welcome()
    everybody = processes()
    for process in everybody:
        process.announce(stream)
    sequence = first
    for i in range(SNAPSHOTS):
        for process in everybody:
            process.values = [(10 + i * process.number, 560 + 56 * i), (i % 7 + 1, 64), (100, 6000 + i % 3)]
            stream.outgoing.put(process.snapshot(sequence, time_ms=START_MS + i * EVERY_MS))
            sequence += 1
    stream.send(sequence=sequence, process_ended={"process": 1, "time_ms": START_MS + SNAPSHOTS * EVERY_MS,
                                                  "reason": 2})
    stream.wait_ack(sequence, 120)
    assert not stream.refused
    stream.close()


SPAN = ("--from", f"@{START_MS // 1000}", "--to", f"@{START_MS // 1000 + 24 * 3600}")
QUESTIONS = [("services",), ("deployments", "shop"), ("containers", "search"), ("top", "mail", *SPAN),
             ("top", "mail", "--version", "v2", *SPAN), ("history", "shop", "app.Item", *SPAN),
             ("history", "stock", *SPAN), ("history", "shop", "str", "--raw", *SPAN),
             ("compare", "billing", "v1", "v2")]
SQL = ["SELECT service, latest_version, live, instances, last_seen FROM heapfleet.services ORDER BY 1",
       "SELECT * FROM heapfleet.deployments('shop')",
       "SELECT * FROM heapfleet.series('shop', 'app.Item', to_timestamp({start}), to_timestamp({end}), '1 hour')",
       "SELECT * FROM heapfleet.series('shop', 'str', to_timestamp({start}), to_timestamp({end}), '1 hour', 'minute')",
       "SELECT * FROM heapfleet.snapshots('mail', 'mail.Own', to_timestamp({start}), to_timestamp({end}))",
       "SELECT * FROM heapfleet.top_growth('stock', to_timestamp({start}), to_timestamp({end}))",
       "SELECT * FROM heapfleet.compare('billing', 'v1', 'v2')",
       "SELECT count(*) FROM heapfleet.findings WHERE state NOT IN ('open', 'acknowledged', 'muted', 'resolved')",
       "SELECT count(*), sum(count_max) FROM heapfleet.heap_hour",
       "SELECT count(*), sum(count_max) FROM heapfleet.heap_day",
       "SELECT count(*), sum(length(payload)) FROM heapfleet.heap_chunk"]


def answers(server, collector):
    """What people get: each question and its answer."""
    found = {}
    for words in QUESTIONS:
        done = subprocess.run([BIN / "heapfleet", *words, "-o", "json", "--collector", collector.address],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        rows = json.loads(done.stdout)
        for row in rows:
            row.pop("leaks", None)  # a sweep may have seen the half of it
        found[" ".join(words)] = rows
    for sql in SQL:
        found[sql] = server.sql(sql.format(start=START_MS // 1000, end=START_MS // 1000 + 24 * 3600))
    return found


def fed(server, first, **questions):
    """A collector with this database takes it all and packs it; then it is asked."""
    options = ("--dsn", server.dsn, "--compact-every", "1s", "--compact-after", "0", "--sweep-every", "2s",
               "--batch-every", "50ms")
    with Collector(private=False, options=options) as collector:
        send_all(collector, first)
        deadline = time.monotonic() + 120
        while server.sql("SELECT count(*) FROM heapfleet.snap_delta") != "0" or \
                server.sql("SELECT count(*) FROM heapfleet.day_due WHERE day_ms < "
                           f"{START_MS // (24 * HOUR_MS) * 24 * HOUR_MS + 24 * HOUR_MS}") != "0" or \
                server.sql("SELECT count(*) FROM heapfleet.heap_chunk") == "0":
            assert time.monotonic() < deadline, collector.log()
            time.sleep(0.5)
        found = answers(server, collector)
        assert "failed" not in collector.log(), collector.log()
        assert collector.stop() == 0
    return found


def test_facts_are_spread_by_service_and_names_are_everywhere(pair):
    _, citus, _ = pair
    rows = [line.split("|") for line in citus.sql(
        "SELECT replace(table_name::text, 'heapfleet.', ''), citus_table_type, distribution_column FROM citus_tables "
        "WHERE table_name::text NOT LIKE '%\\_2%'").splitlines()]
    assert {name for name, kind, _ in rows if kind == "distributed"} == FACTS
    assert {column for _, kind, column in rows if kind == "distributed"} == {"service_id"}
    assert {name for name, kind, _ in rows if kind == "reference"} == {"service", "deployment", "type"}


def test_hot_rows_have_their_name_as_key_on_every_shard(pair):
    """In a partition that was made ahead, and in one of somebody's own making after the next round."""
    _, citus, _ = pair
    key = "PRIMARY KEY (service_id, instance_id, sequence)"
    citus.sql("SELECT heapfleet.make_partition('snap_delta', 0)")
    assert citus.sql(KEYS.format("snap_delta_19700101_00")) == key
    citus.sql("CREATE TABLE heapfleet.own PARTITION OF heapfleet.snap_delta FOR VALUES FROM (14400000) TO (28800000)")
    citus.sql("INSERT INTO heapfleet.snap_delta SELECT s, 1, n, 14400000 + n, 0, '', '' "
              "FROM generate_series(1, 20) s, generate_series(1, 3) n")
    assert citus.sql(KEYS.format("own")) == ""
    citus.sql("SELECT heapfleet.key_hot_partition('heapfleet.own')")
    assert citus.sql(KEYS.format("own")) == key
    citus.sql("DROP TABLE heapfleet.own, heapfleet.snap_delta_19700101_00")


def test_it_answers_as_one_postgresql_does(pair):
    plain, citus, _ = pair
    first = int(time.time() * 1000) * 1024
    expected, found = fed(plain, first), fed(citus, first)
    for question, answer in expected.items():
        assert found[question] == answer, question
    assert len(expected["SELECT * FROM heapfleet.deployments('shop')"].splitlines()) == 2
    assert all(expected.values()), expected


def test_a_value_that_the_database_does_not_take_is_refused_alone(pair):
    """Its COPY does not say what is wrong, so that this goes another way than on one PostgreSQL."""
    _, citus, _ = pair
    first = int(time.time() * 1000) * 1024
    citus.sql(f"ALTER TABLE heapfleet.snap_delta ADD CONSTRAINT own CHECK (sequence <> {first + 4})")
    with Collector(private=False, options=("--dsn", citus.dsn, "--batch-every", "50ms")) as collector:
        stream, process = Stream(collector.address, agent_id=os.urandom(16)), Process(1, service="checked")
        process.announce(stream)
        for i in range(8):
            process.values = [(i, 56), (1, 60)]
            stream.outgoing.put(process.snapshot(first + i, whole=True))
        stream.wait_ack(first + 7)
        assert list(stream.refused) == [first + 4] and "own" in stream.refused[first + 4]
        stream.close()


def in_doubt(citus, workers, sequence):
    """A later snapshot of the only process of the service "doubt", written by a transaction that its worker
    has prepared and not been told the outcome of, as after a COMMIT with the connection lost. Its worker."""
    service = citus.sql("SELECT id FROM heapfleet.service WHERE name = 'doubt'")
    slot = START_MS // (4 * HOUR_MS) * 4 * HOUR_MS
    partition = citus.sql(f"SELECT name FROM heapfleet.partition WHERE level = 'snap_delta' AND from_ms = {slot}")
    shard, port = citus.sql(
        "SELECT p.shardid, n.nodeport FROM pg_dist_placement p JOIN pg_dist_node n USING (groupid) WHERE p.shardid = "
        f"get_shard_id_for_distribution_column('heapfleet.{partition}', {service})").split("|")
    worker = next(worker for worker in workers if worker.port == port)
    table = f"heapfleet.{partition}_{shard}"
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", worker.dsn], check=True, text=True, input=(
        "SET citus.enable_manual_changes_to_shards = on; SET citus.override_table_visibility = off; BEGIN; "
        f"INSERT INTO {table} SELECT service_id, instance_id, {sequence}, time_ms + 1000, 0, process, body "
        f"FROM {table} WHERE service_id = {service}; PREPARE TRANSACTION 'in doubt';"))
    return worker


def test_a_slot_stays_while_a_worker_has_not_been_told_to_commit(pair):
    _, citus, workers = pair
    first = int(time.time() * 1000) * 1024
    with Collector(private=False, options=("--dsn", citus.dsn, "--batch-every", "50ms")) as collector:
        stream, process = Stream(collector.address, agent_id=os.urandom(16)), Process(1, service="doubt")
        process.announce(stream)
        process.values = [(3, 56), (1, 60)]
        stream.outgoing.put(process.snapshot(first, whole=True, time_ms=START_MS))
        stream.wait_ack(first)
        stream.close()
    worker = in_doubt(citus, workers, first + 1)
    chunk = ("SELECT max(c.last_sequence) FROM heapfleet.heap_chunk c JOIN heapfleet.service s ON s.id = c.service_id "
             "WHERE s.name = 'doubt'")
    options = ("--dsn", citus.dsn, "--compact-every", "1s", "--compact-after", "0")
    with Collector(private=False, options=options) as collector:
        deadline = time.monotonic() + 120
        while citus.sql(chunk) != str(first) or worker.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0":
            assert time.monotonic() < deadline, collector.log()
        worker.sql("COMMIT PREPARED 'in doubt'")
        while citus.sql(f"SELECT count(*) FROM heapfleet.snap_delta WHERE time_ms < {START_MS + HOUR_MS}") != "0":
            assert time.monotonic() < deadline, collector.log()
            time.sleep(0.2)
        assert citus.sql(chunk) == str(first + 1)


def test_a_service_is_forgotten(pair):
    _, citus, _ = pair
    subprocess.run([PROGRAM, "forget", "shop", "--environment", "test", "--dsn", citus.dsn], check=True,
                   capture_output=True)
    assert citus.sql("SELECT count(*) FROM heapfleet.service WHERE name = 'shop'") == "0"
    assert citus.sql("SELECT count(*) FROM heapfleet.heap_chunk c WHERE NOT EXISTS "
                     "(SELECT FROM heapfleet.service s WHERE s.id = c.service_id)") == "0"


def test_no_hot_row_is_dropped_that_no_chunk_has():
    """What a test of the store says of one PostgreSQL, here."""
    folder = new_folder()
    cluster = citus_cluster.CitusCluster(folder)
    try:
        cluster.start().add_workers()
        done = subprocess.run([BIN.parent / "tests" / "store_drop_test"], capture_output=True, text=True, check=False,
                              env={**os.environ, "HEAPFLEET_TEST_CITUS": cluster.coordinator.dsn})
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


# What `migrate --citus` did up to schema 16, but for functions.
DISTRIBUTE = ("""DO $$ DECLARE t record; BEGIN FOR t IN SELECT a.attrelid::regclass AS name, a.attname,
pg_get_serial_sequence(a.attrelid::regclass::text, a.attname) AS seq FROM pg_attribute a WHERE a.attidentity <> '' AND
a.attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'heapfleet'::regnamespace AND relname IN
('service', 'deployment', 'type', 'instance')) LOOP
EXECUTE format('CREATE SEQUENCE %s_drawn START 1000', t.seq);
EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', t.name, t.attname);
EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT nextval(''%s_drawn'')', t.name, t.attname, t.seq);
END LOOP; END $$""",
              *(f"SELECT create_reference_table('heapfleet.{name}')" for name in ("service", "deployment", "type")),
              "SELECT create_distributed_table('heapfleet.instance_last', 'service_id')",
              *(f"SELECT create_distributed_table('heapfleet.{name}', 'service_id', colocate_with => "
                "'heapfleet.instance_last')" for name in sorted(FACTS - {"instance_last"})))


def distribute_schema_16(server):
    """Before hot rows had their name as key."""
    server.sql("CREATE SCHEMA heapfleet; CREATE TABLE heapfleet.schema_version (version integer PRIMARY KEY, "
               "name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()); "
               "COMMENT ON TABLE heapfleet.schema_version IS 'Migrations that were applied.'")
    for step in sorted(SCHEMA.glob("*.sql"))[:16]:
        server.sql(step.read_text(encoding="utf-8"))
        number, name = step.stem.split("_", 1)
        server.sql(f"INSERT INTO heapfleet.schema_version VALUES ({int(number)}, '{name}')")
    for step in DISTRIBUTE:
        server.sql(step)


def copy_history(old, new):
    """All rows of one database into the tables of another, which may know fewer columns."""
    for level, at_ms in (line.split("|") for line in old.sql(
            "SELECT level, from_ms FROM heapfleet.partition").splitlines()):
        new.sql(f"SELECT heapfleet.make_partition('{level}', {at_ms})")
    for table in ("service", "deployment", "type", *sorted(FACTS), "compaction", "day_due"):
        columns = new.sql("SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute "
                          f"WHERE attrelid = 'heapfleet.{table}'::regclass AND attnum > 0 AND NOT attisdropped "
                          "AND attgenerated = ''")
        rows = subprocess.run(["psql", "-XAtq", "-d", old.dsn, "-c", f"COPY (SELECT {columns} FROM heapfleet.{table}) "
                               "TO STDOUT"], check=True, capture_output=True).stdout
        subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", new.dsn, "-c",
                        f"COPY heapfleet.{table} ({columns}) FROM STDIN"], input=rows, check=True)


def make_hot(server):
    """The newest snapshot of each process once more, and in another slot a name with two times."""
    for at_ms in (0, START_MS + (SNAPSHOTS - 1) * EVERY_MS):
        server.sql(f"SELECT heapfleet.make_partition('snap_delta', {at_ms})")
    columns = "service_id, instance_id, sequence, time_ms, base_sequence, process, body"
    server.sql(f"INSERT INTO heapfleet.snap_delta ({columns}) "
               "SELECT service_id, instance_id, sequence, time_ms, 0, process, body FROM heapfleet.instance_last")
    server.sql(f"INSERT INTO heapfleet.snap_delta ({columns}) "
               "SELECT 1, 1, 1, n, 0, '', '' FROM generate_series(1, 2) n")


def hot_key(server, at_ms):
    return server.sql(KEYS.format(server.sql(f"SELECT heapfleet.partition_name('snap_delta', {at_ms})")))


def test_a_cluster_of_before_schema_17_is_brought_up_to_date(pair):
    plain, _, _ = pair
    folder = new_folder()
    cluster = citus_cluster.CitusCluster(folder)
    key = "PRIMARY KEY (service_id, instance_id, sequence)"
    try:
        citus = cluster.start().coordinator
        cluster.add_workers()
        expected = fed(plain, int(time.time() * 1000) * 1024)
        distribute_schema_16(citus)
        copy_history(plain, citus)
        make_hot(citus)
        migrate(citus.dsn)
        migrate(citus.dsn, "--citus")
        assert hot_key(citus, 0) == key.replace(")", ", time_ms)")
        assert hot_key(citus, START_MS + (SNAPSHOTS - 1) * EVERY_MS) == key
        citus.sql("SELECT heapfleet.make_partition('snap_delta', 86400000)")
        assert hot_key(citus, 86400000) == key
        with Collector(private=False, options=("--dsn", citus.dsn, "--compact-every", "1h")) as collector:
            found = answers(citus, collector)
        assert found == expected
        found = fed(citus, int(time.time() * 1000) * 1024)
        assert all(found.values()), found
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
