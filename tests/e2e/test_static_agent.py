"""The agent as one static file, in a root file system that holds nothing else."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from agent_process import BIN, Agent, clean_environment, wait_until
from collector_process import Collector

STATIC = BIN / "heapfleet-agent-static"
THREADS_MAX = 9  # the loop, the network, and gRPC's own
# What is the agent's alone. Its code is the file's pages, which the kernel shares and takes back, and maps
# by one page or by 2 MB at a time as it sees fit.
RSS_ANON_MAX_KB = 8 * 1024

SERVICE = """
import sys, time
class Ticket:
    pass
held = [Ticket() for _ in range(200000)]
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def target():
    child = subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "OTEL_SERVICE_NAME": "tickets"})
    assert child.stdout.readline() == "ready\n"
    yield child
    child.kill()
    child.wait()


@pytest.fixture
def empty_root(tmp_path):
    """A root with the agent and /proc."""
    if os.geteuid() != 0:
        pytest.skip("not covered: only root can make a root file system and enter it")
    shutil.copy(STATIC, tmp_path / "agent")
    (tmp_path / "proc").mkdir()
    subprocess.run(["mount", "--bind", "/proc", tmp_path / "proc"], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path / "proc"], check=True)


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def test_it_needs_no_shared_library():
    described = subprocess.run(["readelf", "-d", STATIC], capture_output=True, text=True,
                               check=True).stdout
    assert "NEEDED" not in described


def test_it_counts_from_an_empty_root(target, empty_root):
    done = subprocess.run(["chroot", empty_root, "/agent", "census", str(target.pid), "--top", "3"],
                          capture_output=True, text=True, timeout=60, env=clean_environment())
    assert done.returncode == 0, done.stderr
    assert "__main__.Ticket" in done.stdout
    assert "200,000" in done.stdout


def test_it_streams_from_an_empty_root_and_stays_small(target, empty_root):
    with Collector() as collector:
        with Agent("watch", "--collector", collector.address, "--interval", "200ms",
                   "--cpu-budget", "100%", "--pid", target.pid,
                   program=["chroot", empty_root, "/agent"]) as agent:
            agent.wait_for("collector.connected")
            wait_until(lambda: known(collector.address), "a snapshot")
            status = status_of(agent.child.pid)
            assert agent.stop() == 0
    assert int(status["Threads"]) <= THREADS_MAX
    assert int(status["RssAnon"].split()[0]) <= RSS_ANON_MAX_KB


def known(address):
    done = subprocess.run([BIN / "heapfleet", "--collector", address, "top", "tickets"],
                          capture_output=True, text=True, timeout=60, env=clean_environment())
    return "__main__.Ticket" in done.stdout
