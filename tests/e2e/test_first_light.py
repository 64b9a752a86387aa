"""The whole chain: a service nobody changed, the agent beside it, the collector, the command line."""
import json
import os
import pathlib
import subprocess
import sys
import time

from agent_process import Agent, clean_environment, wait_until
from collector_process import BIN, Collector

INTERVAL_S = 0.2
OUTAGE_S = 3.0

SERVICE = """
import time
class Ticket:
    pass
held = []
while True:
    held.append(Ticket())
    time.sleep(0.01)
"""


def heapfleet(address, *arguments):
    done = subprocess.run([BIN / "heapfleet", "--collector", address, *arguments, "-o", "json"],
                          capture_output=True, text=True, timeout=60, env=clean_environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def history(address):
    return heapfleet(address, "history", "tickets", "__main__.Ticket", "--raw")


def stored(address):
    try:
        return len(history(address))
    except AssertionError:  # not known yet
        return 0


def check_unbroken(points):
    """No doubled snapshot, no gap that the agent could have filled, and a count that only grows."""
    sequences = [point["sequence"] for point in points]
    assert len(set(sequences)) == len(sequences)
    assert sequences == sorted(sequences)
    counts = [point["count"] for point in points]
    assert counts == sorted(counts)
    # the service makes about 100 tickets a second: a hole as long as an outage would show as
    # hundreds of tickets between two snapshots, however slow the machine
    steps = [later - sooner for sooner, later in zip(counts, counts[1:])]
    assert max(steps) < 100 * OUTAGE_S * 0.8, steps


def test_a_collector_killed_while_agents_stream_loses_and_doubles_nothing(tmp_path):
    script = tmp_path / "tickets.py"
    script.write_text(SERVICE)
    environment = {**os.environ, "OTEL_SERVICE_NAME": "tickets"}
    target = subprocess.Popen([sys.executable, script], env=environment)
    collector = Collector()
    try:
        collector.start()
        address = collector.address
        with Agent("watch", "--collector", address, "--interval", f"{int(INTERVAL_S * 1000)}ms",
                   "--cpu-budget", "100%", "--pid", target.pid) as agent:
            wait_until(lambda: stored(address) >= 5, "the first snapshots")
            for _ in range(3):
                collector.kill()
                time.sleep(OUTAGE_S)
                collector.start(listen=address)
                before = stored(address)
                wait_until(lambda: stored(address) > before + OUTAGE_S / INTERVAL_S / 2,
                           "catching up")
            assert agent.stop() == 0
        check_unbroken(history(address))
    finally:
        target.kill()
        target.wait()
        collector.remove()
