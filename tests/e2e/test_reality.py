"""Programs that leak as real ones did, and some that only look so, through agent, wire and database.

All of them run side by side, each in two processes, with a horizon of seconds instead of 30 hours.
`./dev reality` runs all of tests/targets/leaks; an ordinary test run takes one of each kind.
"""
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
EVERYTHING = os.environ.get("HEAPFLEET_REALITY") == "all"
PROCESSES = 2
HORIZON_S = 60 if EVERYTHING else 24
INTERVAL = "500ms"
VERDICT_S = 2.2 * HORIZON_S + 20  # on the third look beyond the horizon, on a busy machine

# service: kind, types of which one must be named
LEAKING = {
    "c05_lru_method": ("objects", {"c05_lru_method.RepoClient"}),
    "c07_logger_per_conn": ("objects", {"logging.Logger"}),
    "c12_schema_registry": ("objects", {"c12_schema_registry.Meta"}),
    "c14_signal_receivers": ("objects", {"c14_signal_receivers.Request"}),
    "c15_exc_list": ("objects", {"c15_exc_list.BigPayload"}),
    "c20_task_set": ("objects", {"_asyncio.Task"}),
    "c22_str_set": ("objects", {"str"}),
    "c23_queue_backlog": ("objects", {"c23_queue_backlog.Event"}),
    "c29_gc_freeze": ("objects", {"c29_gc_freeze.Preload"}),
    "c33_native_malloc": ("native", None),
    "o01_generators": ("objects", {"generator"}),
    "o02_bytearray": ("buffer", {"bytearray"}),
    "o03_wrappers": ("objects", {"o03_wrappers.Handler"}),
    "o04_dict_of_rows": ("objects", {"o04_dict_of_rows.Row"}),
}
HEALTHY = {"n01_bounded_lru", "n03_cyclic_collected", "h01_sawtooth", "h02_warm_up", "h03_pool"}
SHORT = {"c05_lru_method", "c22_str_set", "c33_native_malloc", "o02_bytearray", "n01_bounded_lru"}


def chosen(names):
    return sorted(name for name in names if EVERYTHING or name in SHORT)


class Fleet:
    def __init__(self):
        self.collector = Collector(options=["--horizon", f"{HORIZON_S}s", "--sweep-every", "2s"])
        self.collector.start()
        self.agents = [self.start(name, number) for name in chosen({*LEAKING, *HEALTHY})
                       for number in range(PROCESSES)]

    def start(self, name, number):
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

    def findings(self):
        """service -> {type: row} of what is confirmed."""
        done = subprocess.run([str(BIN / "heapfleet"), "--collector", self.collector.address, "leaks",
                               "--severity", "confirmed", "-o", "json"], check=True,
                              capture_output=True, text=True, env=clean_environment(), timeout=60)
        found = {}
        for row in json.loads(done.stdout):
            found.setdefault(row["service"], {})[row["type"]] = row
        return found

    def wait_for_all(self):
        deadline = time.monotonic() + VERDICT_S
        while time.monotonic() < deadline and set(chosen(LEAKING)) - set(self.findings()):
            time.sleep(1)
        time.sleep(HORIZON_S / 4)  # what is wrong may come late
        return self.findings()


@pytest.fixture(scope="module")
def found():
    fleet = Fleet()
    try:
        yield fleet.wait_for_all()
    finally:
        fleet.stop()


@pytest.mark.parametrize("name", chosen(LEAKING))
def test_a_leak_is_found_and_named(found, name):
    kind, types = LEAKING[name]
    assert name in found, "nothing was found"
    rows = found[name]
    assert len(rows) == 1, f"one leak, not {sorted(rows)}"
    assert types is None or set(rows) <= types
    (row,) = rows.values()
    assert row["kind"] == kind


@pytest.mark.parametrize("name", chosen(HEALTHY))
def test_a_healthy_program_is_left_alone(found, name):
    assert name not in found, found.get(name)
