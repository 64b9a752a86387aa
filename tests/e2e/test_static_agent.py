"""The agent as one static file, in a root file system that holds nothing else."""
import contextlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

import pytest

from agent_process import BIN, PROGRAM, Agent, clean_environment, wait_until
from bare_collector import BareCollector, make_certificates, tls_options
from collector_process import Collector

STATIC = BIN / "heapfleet-agent-static"
THREADS_MAX = 8  # the loop, the network, and gRPC's own
RSS_MAX_KB = 12 * 1024

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


def test_it_streams_from_an_empty_root(target, empty_root):
    with Collector() as collector:
        with Agent("watch", "--collector", collector.address, "--interval", "200ms",
                   "--cpu-budget", "100%", "--pid", target.pid,
                   program=["chroot", empty_root, "/agent"]) as agent:
            agent.wait_for("collector.connected")
            wait_until(lambda: known(collector.address), "a snapshot")
            assert agent.stop() == 0


def threads_of(pid):
    names = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append((task / "comm").read_text().strip())
    return names


def rss_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


@pytest.mark.parametrize("program", [STATIC, PROGRAM], ids=["static", "dynamic"])
def test_few_threads_and_little_memory_with_certificates(target, program, tmp_path):
    """Watched until gRPC has its second timer thread, which comes with the first timer that fires."""
    make_certificates(tmp_path)
    with BareCollector(tmp_path) as collector, \
            Agent("watch", "--collector", collector.address, *tls_options(tmp_path), "--interval", "100ms",
                  "--cpu-budget", "100%", "--pid", target.pid, program=[program],
                  environment={"GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS": "200"}) as agent:
        agent.wait_for("collector.connected")
        pid = agent.child.pid
        wait_until(lambda: threads_of(pid).count("grpc_global_tim") == 2, "a second timer thread")
        seen = [(threads_of(pid), rss_kb(pid), time.sleep(0.1)) for _ in range(15)]
        assert agent.stop() == 0
    for threads, _, _ in seen:
        assert len(threads) <= THREADS_MAX, threads
    # it gives code back a few times a second: right after a handshake it may hold more for a moment
    assert statistics.median(rss for _, rss, _ in seen) <= RSS_MAX_KB or program != STATIC


def known(address):
    done = subprocess.run([BIN / "heapfleet", "--collector", address, "top", "tickets"],
                          capture_output=True, text=True, timeout=60, env=clean_environment())
    return "__main__.Ticket" in done.stdout
