"""The ways to deploy the agent, each in real containers. Run by `./dev containers`: root, Podman and a base
image are needed.

The collector is a bare one on the machine's own loopback, which every container shares.
"""
import contextlib
import json
import pathlib
import subprocess
import sys
import textwrap
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from agent_client import ingest  # noqa: E402
from agent_process import BIN, wait_until  # noqa: E402
from bare_collector import BareCollector  # noqa: E402

BASE, AGENT, SERVICE = (f"localhost/heapfleet-test-{name}" for name in ("base", "agent", "service"))
LIMIT = 64 << 20
USER = "1000:1000"
OOM_KILLED = ingest.END_REASON_OOM_KILLED

RUN = ("--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")

QUIET = """
    import time
    class Order:
        pass
    held = [Order() for _ in range(1234)]
    print("ready", flush=True)
    time.sleep(600)
"""
GREEDY = """
    import time
    held = []
    for _ in range(6):
        time.sleep(0.5)  # be seen first
        held.append(bytearray(4 << 20))
    while True:
        held.append(bytearray(4 << 20))
"""


def podman(*words):
    done = subprocess.run(["podman", "--runtime", "runc", *map(str, words)], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, f"podman {' '.join(map(str, words))}: {done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def images():
    podman("build", "-t", AGENT, "-f", ROOT / "deploy/images/agent.Containerfile", BIN)
    podman("build", "-t", SERVICE, "--build-arg", f"AGENT={AGENT}", "--build-arg", f"SERVICE={BASE}",
           "-f", ROOT / "deploy/images/service.Containerfile", BIN)


@contextlib.contextmanager
def container(image, *command, options=()):
    """Its whole id. What it logs is shown when a test fails."""
    identity = podman("run", "--detach", *RUN, *options, image, *command)
    try:
        yield identity
    finally:
        print(subprocess.run(["podman", "logs", identity], capture_output=True, text=True))
        podman("rm", "--force", "--time", "0", identity)


def python(script):
    return ("python3", "-c", textwrap.dedent(script))


def settings(collector, *more):
    return [word for setting in (f"COLLECTOR={collector.address}", "INTERVAL=200ms", "CPU_BUDGET=100%", *more)
            for word in ("--env", f"HEAPFLEET_{setting}")]


SERVICE_OPTIONS = ("--memory", LIMIT, "--env", "OTEL_SERVICE_NAME=shop", "--env",
                   "CONTAINER_IMAGE=registry.example/shop:1.4", "--hostname", "shop-1")


def check_identity(collector, identity):
    wait_until(lambda: collector.snapshots >= 2, "two snapshots")
    started = collector.of("process_started")[0]
    assert started.service == "shop" and started.version == "1.4"
    assert started.image == "registry.example/shop:1.4"
    assert started.container_id == identity
    snapshot = collector.of("snapshot")[-1]
    assert snapshot.container_limit_bytes == LIMIT
    assert 0 < snapshot.rss_anon_bytes <= snapshot.container_usage_bytes < LIMIT


def end_of(collector):
    wait_until(lambda: collector.of("process_ended"), "an end")
    return collector.of("process_ended")[0].reason


def main_pid(identity):
    return json.loads(podman("inspect", identity))[0]["State"]["Pid"]


# ---- the agent as the entrypoint ---------------------------------------------------------------


def test_entrypoint():
    with BareCollector() as collector, \
            container(SERVICE, *python(QUIET),
                      options=(*SERVICE_OPTIONS, *settings(collector), "--cap-drop", "ALL", "--user", USER,
                               "--security-opt", "no-new-privileges")) as identity:
        check_identity(collector, identity)
        began = time.monotonic()
        podman("stop", "--time", "30", identity)
        assert time.monotonic() - began < 20
        assert json.loads(podman("inspect", identity))[0]["State"]["ExitCode"] == 128 + 15


def test_entrypoint_and_an_out_of_memory_kill():
    with BareCollector() as collector, \
            container(SERVICE, *python(GREEDY), options=(*SERVICE_OPTIONS, *settings(collector))) as identity:
        assert end_of(collector) == OOM_KILLED
        podman("wait", identity)
        assert json.loads(podman("inspect", identity))[0]["State"]["ExitCode"] == 128 + 9


# ---- the agent beside the service --------------------------------------------------------------


@contextlib.contextmanager
def sidecar(collector, service, *options):
    """As in a pod with shareProcessNamespace: the same user, and no capability."""
    with container(AGENT, "watch", options=(
            "--pid", f"container:{service}", "--user", USER, "--cap-drop", "ALL", "--read-only",
            "--security-opt", "no-new-privileges", *settings(collector), *options)) as identity:
        yield identity


def test_sidecar():
    with BareCollector() as collector, \
            container(BASE, *python(QUIET), options=(*SERVICE_OPTIONS, "--user", USER)) as service, \
            sidecar(collector, service):
        check_identity(collector, service)


def test_sidecar_and_an_out_of_memory_kill():
    """Of a worker: the container and its first process live on."""
    script = f"""
        import os, signal, time
        if os.fork() == 0:
            exec({textwrap.dedent(GREEDY)!r})
        os.wait()
        time.sleep(600)
    """
    with BareCollector() as collector, \
            container(BASE, *python(script), options=(*SERVICE_OPTIONS, "--user", USER)) as service, \
            sidecar(collector, service):
        assert end_of(collector) == OOM_KILLED


def test_a_sidecar_of_another_user_is_told_what_to_do():
    with container(BASE, *python(QUIET), options=SERVICE_OPTIONS) as service:
        done = subprocess.run(["podman", "--runtime", "runc", "run", "--rm", *RUN, "--pid",
                               f"container:{service}", "--user", USER, "--cap-drop", "ALL", AGENT, "doctor",
                               "1"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 4, done
        assert "runAsUser: 0" in done.stdout and "BAD   user" in done.stdout


# ---- one agent for the machine -----------------------------------------------------------------


@contextlib.contextmanager
def on_the_machine(collector, pid):
    """As a DaemonSet: not privileged, two capabilities. Only one process, for the machine has others."""
    with container(AGENT, "watch", "--pid", pid, options=(
            "--pid", "host", "--user", "0", "--cap-drop", "ALL", "--cap-add", "SYS_PTRACE", "--cap-add",
            "DAC_READ_SEARCH", "--read-only", "--security-opt", "no-new-privileges", "--volume",
            "/sys/fs/cgroup:/sys/fs/cgroup:ro", *settings(collector, "HOST=node-7"))) as identity:
        yield identity


@pytest.mark.parametrize("user", ["0", USER])
def test_machine(user):
    with BareCollector() as collector, \
            container(BASE, *python(QUIET), options=(*SERVICE_OPTIONS, "--user", user)) as service, \
            on_the_machine(collector, main_pid(service)):
        check_identity(collector, service)
        assert collector.of("process_started")[0].host == "node-7"


def test_machine_and_an_out_of_memory_kill():
    """The whole container ends with its one process."""
    with BareCollector() as collector, \
            container(BASE, *python("import time; time.sleep(3)\n" + textwrap.dedent(GREEDY)),
                      options=(*SERVICE_OPTIONS, "--user", USER)) as service, \
            on_the_machine(collector, main_pid(service)):
        assert end_of(collector) == OOM_KILLED


def test_machine_without_the_second_capability_is_told_what_to_do():
    with container(BASE, *python(QUIET), options=(*SERVICE_OPTIONS, "--user", USER)) as service:
        done = subprocess.run(["podman", "--runtime", "runc", "run", "--rm", *RUN, "--pid", "host", "--cap-drop",
                               "ALL", "--cap-add", "SYS_PTRACE", AGENT, "doctor", str(main_pid(service))],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 4, done
        assert "BAD   files" in done.stdout and "DAC_READ_SEARCH" in done.stdout
