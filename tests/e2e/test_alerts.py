"""Alerts: a webhook that fails and is tried again, and a real Alertmanager."""
import contextlib
import functools
import hashlib
import hmac
import http.server
import json
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

from agent_process import clean_environment, wait_until
from collector_process import BIN, Collector

pytestmark = pytest.mark.postgres

SECRET = "a secret"
ALERTMANAGER = shutil.which("prometheus-alertmanager")

eventually = functools.partial(wait_until, what="what a receiver should be told", seconds=30)


class Webhook:
    """Answers with the codes it is given, one a request, then with 200; remembers what it took."""

    def __init__(self, codes=()):
        self.codes = list(codes)
        self.taken, self.refused = [], 0
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code = webhook.codes.pop(0) if webhook.codes else 200
                if code == 200:
                    webhook.taken.append((self.headers, body))
                else:
                    webhook.refused += 1
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def states(self):
        return [json.loads(body)["state"] for _, body in self.taken]


@contextlib.contextmanager
def running(options):
    collector = Collector(options=["--alert-every", "200ms", "--sweep-every", "1h", *options])
    try:
        yield collector.start()
    finally:
        collector.stop()


class Findings:
    """What a sweep would write, by SQL: alerts are about what is in the database."""

    def __init__(self, collector):
        self.dsn = f"host='{collector.folder / 'data' / 'socket'}' user=heapfleet dbname=postgres"
        self.run("INSERT INTO heapfleet.service (name, service_namespace, environment) "
                 "VALUES ('shop', '', 'prod')")

    def run(self, sql):
        done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", self.dsn, "-c", sql],
                              capture_output=True, text=True, env=clean_environment())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def open(self, kind="confirmed", name="shop.Cart", seen_ms=None):
        seen_ms = seen_ms or now_ms()
        self.run("INSERT INTO heapfleet.finding (service_id, type, first_seen_ms, last_seen_ms, "
                 "severity, introduced_in, count_per_hour, bytes_per_hour, confidence, "
                 "until_limit_ms, instances, companions) "
                 f"SELECT id, '{name}', {seen_ms}, {seen_ms}, '{kind}', 'v2', 900, 43200, 0.9, 0, "
                 "4, '[\"dict\"]' FROM heapfleet.service")

    def become(self, kind):
        self.run(f"UPDATE heapfleet.finding SET severity = '{kind}'")

    def resolve(self):
        self.run(f"UPDATE heapfleet.finding SET closed_ms = {now_ms()}, "
                 "closed_reason = 'flat in v3', fixed_in = 'v3'")


def now_ms():
    return int(time.time() * 1000)


def check_signature(headers, body):
    parts = dict(part.split("=", 1) for part in headers["Heapfleet-Signature"].split(","))
    signed = parts["t"].encode() + b"." + body
    assert parts["v1"] == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert abs(int(parts["t"]) - time.time()) < 300


def test_a_webhook_is_told_once_a_state_and_signed(tmp_path):
    webhook = Webhook()
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    options = ["--alert-webhook", webhook.url, "--alert-webhook-secret-file", str(secret),
               "--alert-severity", "suspect"]
    with running(options) as collector:
        findings = Findings(collector)
        findings.open("watch")
        time.sleep(1)
        assert webhook.states() == []
        findings.become("suspect")
        eventually(lambda: webhook.states() == ["suspect"])
        findings.become("confirmed")
        eventually(lambda: webhook.states() == ["suspect", "confirmed"])
        findings.become("suspect")  # and back again: nothing new
        findings.become("confirmed")
        time.sleep(1)
        findings.resolve()
        eventually(lambda: len(webhook.taken) > 2)
        time.sleep(1)
        assert webhook.states() == ["suspect", "confirmed", "resolved"]
        for headers, body in webhook.taken:
            check_signature(headers, body)
        last = json.loads(webhook.taken[-1][1])
        assert last["told"] == "confirmed"
        assert last["summary"] == \
            "shop (prod) does not leak shop.Cart any more: flat in v3 (fixed in v3)"
        alerted = findings.run("SELECT count(*) FROM heapfleet.finding_event "
                               "WHERE event = 'alerted'")
        assert alerted == "3"


def test_a_webhook_that_fails_is_tried_again():
    webhook = Webhook([500, 404])
    with running(["--alert-webhook", webhook.url]) as collector:
        findings = Findings(collector)
        findings.open()
        eventually(lambda: webhook.refused == 1)
        for tries in (2, 3):  # do not wait for the pauses between
            eventually(lambda: findings.run("SELECT count(*) FROM heapfleet.alert "
                                            "WHERE failure LIKE 'it answered %'") == "1")
            findings.run("UPDATE heapfleet.alert SET next_ms = 0")
            eventually(lambda: webhook.refused + len(webhook.taken) == tries)
        eventually(lambda: webhook.states() == ["confirmed"])
        assert findings.run("SELECT attempts FROM heapfleet.alert WHERE told = 'confirmed'") == "0"


def test_a_webhook_that_does_not_end_its_answer_has_heard():
    """Its code is its answer: told again and again, it would hear the same for ever."""
    with socket.create_server(("127.0.0.1", 0)) as endless:
        endless.settimeout(30)
        with running(["--alert-webhook", f"http://127.0.0.1:{endless.getsockname()[1]}/"]) as collector:
            findings = Findings(collector)
            findings.open()
            connection, _ = endless.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nyes")
                eventually(lambda: findings.run(
                    "SELECT told FROM heapfleet.alert WHERE next_ms = 0") == "confirmed")


def test_a_webhook_that_hangs_does_not_hold_the_end_up():
    """Each request has ten seconds, and the collector twenty until it is killed."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.settimeout(30)
        with running(["--alert-webhook", f"http://127.0.0.1:{deaf.getsockname()[1]}/"]) as collector:
            findings = Findings(collector)
            findings.run("INSERT INTO heapfleet.finding (service_id, type, first_seen_ms, last_seen_ms, "
                         "severity, introduced_in, count_per_hour, bytes_per_hour, confidence, "
                         "until_limit_ms, instances, companions) "
                         f"SELECT id, 'shop.Cart' || i, {now_ms()}, {now_ms()}, "
                         "'confirmed', 'v2', 900, 43200, 0.9, 0, 4, '[]' "
                         "FROM heapfleet.service, generate_series(1, 5) i")
            connection, _ = deaf.accept()
            with connection:
                assert collector.stop() == 0


def test_what_is_muted_or_acknowledged_is_not_told():
    webhook = Webhook()
    with running(["--alert-webhook", webhook.url]) as collector:
        findings = Findings(collector)
        heapfleet = [str(BIN / "heapfleet"), "--collector", collector.address]
        findings.run("INSERT INTO heapfleet.mute SELECT id, '', 'ann', 'known', 0, NULL "
                     "FROM heapfleet.service")
        findings.open()
        time.sleep(1)
        subprocess.run([*heapfleet, "leaks", "unmute", "shop"], check=True,
                       env=clean_environment())
        eventually(lambda: webhook.states() == ["confirmed"])
        findings.open("suspect", "shop.Other")
        leaks = json.loads(subprocess.run([*heapfleet, "leaks", "-o", "json"], check=True,
                                          env=clean_environment(), capture_output=True).stdout)
        other = next(leak["id"] for leak in leaks if leak["type"] == "shop.Other")
        subprocess.run([*heapfleet, "leaks", "ack", other], check=True, env=clean_environment())
        findings.become("confirmed")
        time.sleep(1)
        assert webhook.states() == ["confirmed"]


def test_two_collectors_tell_a_thing_once():
    webhook = Webhook()
    with running(["--alert-webhook", webhook.url]) as collector:
        findings = Findings(collector)
        second = Collector(private=False, folder=pathlib.Path("unused"), options=[
            "--dsn", findings.dsn, "--alert-every", "200ms", "--alert-webhook", webhook.url])
        try:
            second.start()
            for number in range(20):
                findings.open(name=f"shop.Type{number}")
            eventually(lambda: len(webhook.taken) >= 20)
            time.sleep(1)
            assert len(webhook.taken) == 20
        finally:
            second.stop()


def test_what_another_collector_tells_meanwhile_is_not_told_again():
    """Both found it due; one has told it before the other comes to claim it."""
    webhook = Webhook()
    with running(["--alert-webhook", webhook.url]) as collector:
        findings = Findings(collector)
        other = subprocess.Popen(["psql", "-qAtX", findings.dsn], stdin=subprocess.PIPE, text=True,
                                 stdout=subprocess.PIPE, env=clean_environment())
        seen_ms = now_ms()
        other.stdin.write("BEGIN; INSERT INTO heapfleet.alert SELECT id, 'shop.Cart', "
                          f"{seen_ms}, 'webhook', 'confirmed', {seen_ms}, 0, 0, '' FROM heapfleet.service; "
                          "SELECT 'held';\n")
        other.stdin.flush()
        assert other.stdout.readline() == "held\n"
        findings.open(seen_ms=seen_ms)
        eventually(lambda: findings.run("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0")
        other.communicate("COMMIT;\n")
        eventually(lambda: findings.run("SELECT next_ms FROM heapfleet.alert") == "0")
        time.sleep(1)
        assert webhook.states() == []


@pytest.mark.parametrize("options, sentence", [
    (["--alert-webhook", "not a url"], "--alert-webhook: 'not a url' is not a URL"),
    (["--alertmanager", "ftp://x"], "--alertmanager: 'ftp://x' is not a URL"),
    (["--alert-severity", "bad"], "watch, suspect or confirmed"),
])
def test_wrong_options_are_told(options, sentence):
    done = subprocess.run([str(BIN / "heapfleet-collector"), "serve", *options],
                          capture_output=True, text=True, env=clean_environment(), timeout=30)
    assert done.returncode == 2
    assert sentence in done.stderr


# ---- a real Alertmanager ---------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def alertmanager(folder):
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: none, group_by: [service, type, version]}\n"
                      "receivers: [{name: none}]\n")
    port = free_port()
    child = subprocess.Popen(
        [ALERTMANAGER, f"--config.file={config}", f"--storage.path={folder / 'am'}",
         f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait()


def alerts_of(url):
    try:
        with urllib.request.urlopen(url + "/api/v2/alerts?active=true", timeout=5) as answer:
            return json.load(answer)
    except OSError:  # it is starting
        return None


def test_alertmanager_knows_what_is_open(tmp_path):
    if ALERTMANAGER is None:
        print("not covered: a real Alertmanager (package prometheus-alertmanager)")
        pytest.skip("prometheus-alertmanager is not installed")
    with alertmanager(tmp_path) as url:
        eventually(lambda: alerts_of(url) == [])
        with running(["--alertmanager", url + "/"]) as collector:
            findings = Findings(collector)
            findings.open()
            eventually(lambda: alerts_of(url))
            (alert,) = alerts_of(url)
            assert alert["labels"] == {
                "alertname": "HeapfleetLeak", "service": "shop", "environment": "prod",
                "type": "shop.Cart", "version": "v2", "severity": "confirmed", "kind": "objects",
                "leak": findings.run("SELECT id FROM heapfleet.finding")}
            assert alert["annotations"]["summary"] == \
                "shop (prod) leaks shop.Cart since v2: +900/h, +43.2 kB/h a process"
            findings.resolve()
            eventually(lambda: alerts_of(url) == [])


def test_a_webhook_that_hangs_does_not_keep_alertmanager_waiting(tmp_path):
    if ALERTMANAGER is None:
        pytest.skip("prometheus-alertmanager is not installed")
    with alertmanager(tmp_path) as url, socket.create_server(("127.0.0.1", 0)) as deaf:
        eventually(lambda: alerts_of(url) == [])
        deaf.settimeout(30)
        with running(["--alertmanager", url, "--alert-webhook",
                      f"http://127.0.0.1:{deaf.getsockname()[1]}/"]) as collector:
            Findings(collector).open()
            connection, _ = deaf.accept()
            with connection:
                assert alerts_of(url)


def test_alertmanager_sees_a_finding_once(tmp_path):
    """Alerts whose labels differ are two: the suspect ends when it is confirmed, and does not come back."""
    if ALERTMANAGER is None:
        pytest.skip("prometheus-alertmanager is not installed")
    with alertmanager(tmp_path) as url:
        eventually(lambda: alerts_of(url) == [])
        with running(["--alertmanager", url, "--alert-severity", "suspect"]) as collector:
            findings = Findings(collector)
            findings.open("suspect")
            for kind, severity in (("suspect",) * 2, ("confirmed",) * 2, ("suspect", "confirmed")):
                findings.become(kind)
                findings.run("UPDATE heapfleet.alert SET told_ms = 0")  # a reminder is due
                eventually(lambda: findings.run("SELECT count(*) FROM heapfleet.alert "
                                                "WHERE told_ms > 0 AND next_ms = 0") == "1")
                assert [alert["labels"]["severity"] for alert in alerts_of(url)] == [severity]
