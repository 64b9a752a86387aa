"""Programs that leak as real ones did, and some that only look so, through agent, wire and database.

Each of tests/targets/leaks says in its docstring what the right verdict is. Some run side by side,
each in two processes, with a horizon of seconds instead of 30 hours. `./dev reality` runs all of
them, a wave after the other, and ends with a table; an ordinary test run takes one of each kind.
"""
import ast
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from agent_process import clean_environment
from collector_process import BIN, Collector

LEAKS = pathlib.Path(__file__).resolve().parent.parent / "targets/leaks"
CHOICE = os.environ.get("HEAPFLEET_REALITY", "")  # "": a short list; "all"; or names
AT_ONCE = int(os.environ.get("HEAPFLEET_REALITY_AT_ONCE") or 12 * os.cpu_count())
PROCESSES = 2
HORIZON_S = 60 if CHOICE else 24
INTERVAL = "500ms"
VERDICT_S = 2.2 * HORIZON_S + 20  # on the third look beyond the horizon, on a busy machine
# What is wrong may come late: some containers are judged after 1.25 horizons.
LEAST_S = 1.6 * HORIZON_S if CHOICE else 0
SHORT = {"c05_lru_method", "c22_str_set", "c33_native_malloc", "o02_bytearray", "n01_bounded_lru"}


def verdict_of(name):
    """Kinds with a / and types, of which one must be named; None and none for what does not leak."""
    text = ast.get_docstring(ast.parse((LEAKS / f"{name}.py").read_text()))
    (line,) = [line for line in text.splitlines() if line.startswith("Verdict: ")]
    kind, *types = line.removeprefix("Verdict: ").replace("|", " ").split()
    return (None if kind == "none" else kind), types


PROGRAMS = {path.stem: verdict_of(path.stem) for path in sorted(LEAKS.glob("*.py"))
            if path.stem != "drive"}
LEAKING = {name for name, (kind, _) in PROGRAMS.items() if kind}


def chosen(names):
    wanted = SHORT if not CHOICE else PROGRAMS if CHOICE == "all" else CHOICE.split()
    assert set(wanted) <= set(PROGRAMS), f"the programs are {' '.join(PROGRAMS)}"
    return sorted(set(wanted) & set(names))


def waves():
    """As many of each kind in each: those that leak end a wave."""
    names = chosen(LEAKING) + chosen(set(PROGRAMS) - LEAKING)
    count = -(-len(names) // AT_ONCE)
    return [names[number::count] for number in range(count)]


class Fleet:
    def __init__(self, names):
        self.names = names
        self.first_seen = {}  # service -> seconds
        self.collector = Collector(options=["--horizon", f"{HORIZON_S}s", "--sweep-every", "2s"])
        self.collector.start()
        self.started = time.monotonic()
        self.agents = [self.start(name) for name in names for _ in range(PROCESSES)]

    def start(self, name):
        environment = clean_environment(OTEL_SERVICE_NAME=name, PYTHONDONTWRITEBYTECODE="1",
                                        OTEL_RESOURCE_ATTRIBUTES="service.version=v1")
        return subprocess.Popen(
            [str(BIN / "heapfleet-agent"), "run", "--collector", self.collector.address,
             "--interval", INTERVAL, "--cpu-budget", "50%", "--", sys.executable,
             str(LEAKS / "drive.py"), name],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        for agent in self.agents:
            agent.terminate()
        for agent in self.agents:
            agent.wait(30)
        self.collector.stop()

    def findings(self, severity="confirmed"):
        """service -> {type: row} of what is at least so sure."""
        done = subprocess.run([str(BIN / "heapfleet"), "--collector", self.collector.address, "leaks",
                               "--severity", severity, "-o", "json"], check=True,
                              capture_output=True, text=True, env=clean_environment(), timeout=60)
        found = {}
        for row in json.loads(done.stdout):
            found.setdefault(row["service"], {})[row["type"]] = row
        for service in found:
            self.first_seen.setdefault(service, time.monotonic() - self.started)
        return found

    def wait_for_all(self):
        leaking = LEAKING & set(self.names)
        while (time.monotonic() < self.started + VERDICT_S and
               (leaking - set(self.findings()) or
                time.monotonic() < self.started + LEAST_S)):
            time.sleep(1)
        time.sleep(HORIZON_S / 4)  # what is wrong may come late
        return self.findings()


@pytest.fixture(scope="module")
def found():
    rows, first_seen = {}, {}
    for names in waves():
        fleet = Fleet(names)
        try:
            rows.update(fleet.wait_for_all())
            first_seen.update(fleet.first_seen)
        finally:
            fleet.stop()
    if CHOICE:
        table(rows, first_seen)
    return rows


def table(rows, first_seen):
    lines = [f"{'program':24} {'expected':52} {'found':60} horizons"]
    for name in chosen(PROGRAMS):
        kind, types = PROGRAMS[name]
        seen = ", ".join(f"{row['kind']} {row['type']}" for row in rows.get(name, {}).values())
        after = f"{first_seen[name] / HORIZON_S:.1f}" if name in first_seen else "-"
        lines.append(f"{name:24} {' '.join([kind or 'none', *types]):52} {seen or 'none':60} {after}")
    table.lines = lines


table.lines = []


@pytest.fixture(scope="module", autouse=True)
def print_table(request):
    yield
    if table.lines:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("\n\n" + "\n".join(table.lines))


@pytest.mark.parametrize("name", chosen(LEAKING))
def test_a_leak_is_found_and_named(found, name):
    kind, types = PROGRAMS[name]
    assert name in found, "nothing was found"
    rows = found[name]
    assert len(rows) == 1, f"one leak, not {sorted(rows)}"
    assert not types or set(rows) <= set(types)
    (row,) = rows.values()
    assert row["kind"] in kind.split("/")


@pytest.mark.parametrize("name", chosen(set(PROGRAMS) - LEAKING))
def test_a_healthy_program_is_left_alone(found, name):
    assert name not in found, found.get(name)
