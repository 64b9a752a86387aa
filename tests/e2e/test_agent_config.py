"""The agent's settings: flags, environment, file; what they are checked for; what a reload changes."""
import shutil
import signal
import subprocess

import pytest

from agent_process import NOBODY, Agent, clean_environment, run_agent, wait_until
from bare_collector import BareCollector, make_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def settings(*arguments, environment=None):
    """{name: (value, where it comes from)}"""
    code, out, err = run_agent(*arguments, "--print-config", environment=environment)
    assert code == 0, err
    lines = [line.split(" = ", 1) for line in out.splitlines() if not line.startswith("#")]
    return {name: tuple(part.strip() for part in rest.split("#", 1)) for name, rest in lines}


def test_flag_then_environment_then_file_then_default(tmp_path):
    file = tmp_path / "agent.conf"
    file.write_text("# a comment\ncollector = localhost:1\ninterval = 7s\nflush = 3s\nattr = a=1\nattr = b=2\n")
    told = settings("watch", "--config", file, "--interval", "9s",
                    environment={"HEAPFLEET_INTERVAL": "8s", "HEAPFLEET_FLUSH": "2s"})
    assert told["interval"] == ("9s", "--interval")
    assert told["flush"] == ("2s", "HEAPFLEET_FLUSH")
    assert told["collector"] == ("localhost:1", f"{file}:2: collector")
    assert told["cpu-budget"] == ("0.5%", "default")


def test_one_file_serves_both_commands(tmp_path):
    file = tmp_path / "agent.conf"
    file.write_text(f"collector = {NOBODY}\npid = 1\n")
    for command in (("watch",), ("run", "--check", "--", "true")):
        code, _, err = run_agent(*command, *(() if "--check" in command else ("--check",)),
                                 environment={"HEAPFLEET_CONFIG": str(file)})
        assert code == 0, err


WRONG = [
    ("interval = soon\n", 2, ":1: interval"),
    ("colector = x:1\n", 2, "collector"),
    ("collector = nowhere\n", 2, ":1: collector"),
    (f"collector = {NOBODY}\ntls-ca = /nonexistent\n", 2, "/nonexistent"),
]


@pytest.mark.parametrize("text, expected, hint", WRONG)
def test_check_names_the_line(text, expected, hint, tmp_path):
    file = tmp_path / "agent.conf"
    file.write_text(text)
    code, out, err = run_agent("watch", "--config", file, "--check")
    assert code == expected and out == ""
    assert hint in err and len(err.splitlines()) == 1


def test_names_like_opentelemetrys(certificates):
    names = {"HEAPFLEET_CERTIFICATE": "ca.pem", "HEAPFLEET_CLIENT_CERTIFICATE": "client.pem",
             "HEAPFLEET_CLIENT_KEY": "client.key"}
    environment = {name: str(certificates / file) for name, file in names.items()}
    with BareCollector(certificates) as collector, \
            Agent("watch", "--collector", collector.address, environment=environment) as agent:
        agent.wait_for("collector.connected")
        assert agent.stop() == 0


def test_a_token_comes_from_a_file_and_is_not_shown(tmp_path):
    (tmp_path / "token").write_text("very-secret\n")
    code, out, err = run_agent("watch", "-c", "127.0.0.1:1", "--print-config",
                               environment={"HEAPFLEET_TOKEN_FILE": str(tmp_path / "token")})
    assert code == 0 and "token" in out and "secret" not in out + err
    with BareCollector() as collector, \
            Agent("watch", "-c", collector.address, "--token-file", tmp_path / "token") as agent:
        agent.wait_for("collector.connected")
        assert collector.tokens.get(timeout=60) == "Bearer very-secret"
        assert agent.stop() == 0


def test_a_reload_changes_what_it_can(tmp_path):
    file = tmp_path / "agent.conf"
    file.write_text(f"collector = {NOBODY}\ninterval = 1h\n")
    with Agent("watch", "--config", file) as agent:
        agent.wait_for("agent.started", "interval_ms=3600000")
        file.write_text("collector = localhost:2\ninterval = 30m\nlog-level = debug\n")
        agent.child.send_signal(signal.SIGHUP)
        agent.wait_for("interval.changed", "interval_ms=1800000")
        agent.wait_for("config.ignored", "option=collector")
        agent.wait_for("config.reloaded", "changes=2")
        file.write_text("collector = localhost:2\ninterval = soon\n")
        agent.child.send_signal(signal.SIGHUP)
        agent.wait_for("config.refused", f"{file}:2: interval")
        assert agent.stop() == 0


@pytest.mark.parametrize("command", [("watch",), ("run", "--", "sleep", "600")], ids=["watch", "run"])
def test_new_certificates_are_taken(command, certificates, tmp_path):
    """At first those of a stranger, whom the collector turns away at every attempt."""
    def install(name):
        for ending in ("pem", "key"):
            shutil.copy(certificates / f"{name}.{ending}", tmp_path / f"agent.{ending}")
    install("stranger")
    with BareCollector(certificates) as collector, \
            Agent(command[0], "--collector", collector.address, "--tls-ca", certificates / "ca.pem",
                  "--tls-cert", tmp_path / "agent.pem", "--tls-key", tmp_path / "agent.key",
                  *command[1:]) as agent:
        agent.wait_for("collector.disconnected")
        if command[0] == "watch":
            (tmp_path / "agent.key").write_text("no key")
            agent.child.send_signal(signal.SIGHUP)
            agent.wait_for("files.refused")
        install("client")
        if command[0] == "watch":  # otherwise within ten seconds
            agent.child.send_signal(signal.SIGHUP)
        agent.wait_for("files.reloaded", "certificates=new")
        agent.wait_for("collector.connected")
        agent.stop()


def test_whose_process_it_is_can_be_overridden(tmp_path):
    """Each flag wins over what the process says of itself; the rest stays as it says."""
    (tmp_path / "VERSION").write_text("from-a-file\n")
    environment = {"OTEL_SERVICE_NAME": "own", "RELEASE": "from-a-variable",
                   "OTEL_RESOURCE_ATTRIBUTES": "service.version=own,deployment.environment.name=own,team=own"}
    script = 'print("ready", flush=True); import time; time.sleep(600)'
    cases = [
        ((), "own", "own", "own"),
        (("--service", "flag"), "flag", "own", "own"),
        (("--version-from", "RELEASE"), "own", "from-a-variable", "own"),
        (("--version-from", f"file:{tmp_path}/VERSION"), "own", "from-a-file", "own"),
        (("--version-from", "NOWHERE"), "own", "own", "own"),
        (("--attr", "team=flag", "--environment", "flag"), "own", "own", "flag"),
    ]
    with subprocess.Popen(["/usr/bin/python3", "-c", script], stdout=subprocess.PIPE,
                          env=clean_environment(**environment)) as service:
        service.stdout.readline()
        for flags, name, version, team in cases:
            with BareCollector() as collector, \
                    Agent("watch", "--collector", collector.address, "--pid", service.pid, *flags) as agent:
                wait_until(lambda: collector.of("process_started"), "an announcement")
                started = collector.of("process_started")[0]
                assert agent.stop() == 0
            attributes = {pair.key: pair.value for pair in started.attributes}
            assert (started.service, started.version, attributes["team"]) == (name, version, team), flags
            assert started.environment == team
        service.kill()
