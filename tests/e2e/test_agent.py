"""The agent from outside: `run` as an init process, `watch` against real processes and collectors."""
import contextlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

import pytest

import agent_process
from agent_process import NOBODY, PROGRAM, Agent, run_agent, wait_until
from agent_client import ask, history, query
from as_user import as_user
from bare_collector import BareCollector, make_certificates, tls_options
from collector_process import Collector

PYTHON = "/usr/bin/python3"


@pytest.fixture
def readable_agent():
    """A copy where any user may run it; the source may lie in a private folder."""
    with tempfile.TemporaryDirectory(prefix="heapfleet-test-") as folder:
        os.chmod(folder, 0o755)
        yield shutil.copy(PROGRAM, folder)


RUN = ("run", "--collector", NOBODY, "--flush", "0")

# ---- the command line --------------------------------------------------------------------------


def test_version_has_the_commit():
    code, out, err = run_agent("--version")
    assert code == 0 and err == ""
    assert out.startswith("heapfleet-agent 0.") and "(" in out


@pytest.mark.parametrize("arguments", [("--help",), ("watch", "--help"), ("run", "--help")])
def test_help_goes_to_stdout(arguments):
    code, out, err = run_agent(*arguments)
    assert code == 0 and err == "" and "heapfleet-agent" in out


WRONG = [
    ((), "a command is missing"),
    (("wacth",), "there is no command 'wacth': did you mean 'watch'?"),
    (("watch",), "--collector"),
    (("watch", "--colector", "x:1"), "--collector"),
    (("watch", "--collector", "nowhere"), "HOST:PORT"),
    (("watch", "--collector", "h:99999"), "h:99999"),
    (("watch", "-c", NOBODY, "--interval", "fast"), "fast"),
    (("watch", "-c", NOBODY, "--interval", "1ms"), "interval"),
    (("watch", "-c", NOBODY, "--pid", "x"), "process id"),
    (("watch", "-c", NOBODY, "--attr", "novalue"), "key=value"),
    (("watch", "-c", NOBODY, "--cpu-budget", "9"), "0.5%"),
    (("watch", "-c", NOBODY, "--log-level", "loud"), "loud"),
    (("watch", "-c", NOBODY, "--tls-key", "k"), "--tls-ca"),
    (("watch", "-c", NOBODY, "--", "cmd"), "run"),
    (("run", "--collector", NOBODY), "no command is given"),
    (("run", "-c", NOBODY, "true"), "unexpected argument 'true': put -- before the command"),
    (("run", "--", "true"), "--collector"),
    (("run", "-c", NOBODY, "--pid", "1", "--", "true"), "--pid"),
]


@pytest.mark.parametrize("arguments, hint", WRONG)
def test_a_wrong_command_line_is_one_line_and_2(arguments, hint):
    code, out, err = run_agent(*arguments)
    assert code == 2 and out == ""
    assert len(err.splitlines()) == 1 and hint in err


def test_a_tls_file_that_is_missing_is_named():
    code, _, err = run_agent("watch", "-c", NOBODY, "--tls-ca", "/nonexistent/ca.pem")
    assert code == 2 and "/nonexistent/ca.pem" in err and len(err.splitlines()) == 1


def test_the_environment_configures():
    code, _, err = run_agent("watch", environment={"HEAPFLEET_COLLECTOR": "nonsense"})
    assert code == 2 and "nonsense" in err


# ---- run: the end of the command ---------------------------------------------------------------

ENDS = [
    (["true"], 0),
    (["sh", "-c", "exit 7"], 7),
    (["sh", "-c", "exit 255"], 255),
    (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
    (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
    (["sh", "-c", "kill -SEGV $$"], 128 + signal.SIGSEGV),
    (["/nonexistent/command"], 127),
    (["no-such-command-in-path"], 127),
    (["/etc/passwd"], 126),
    (["/"], 126),
]


@pytest.mark.parametrize("command, expected", ENDS)
def test_ends_as_the_command_ends(command, expected):
    code, _, _ = run_agent(*RUN, "--", *command)
    assert code == expected


def test_a_command_that_cannot_be_run_is_one_line():
    _, _, err = run_agent(*RUN, "--", "no-such-command")
    assert len(err.splitlines()) == 1 and "no-such-command" in err


def test_the_command_gets_what_we_were_given(tmp_path):
    script = "import os,sys; print(sys.argv[1:], sys.stdin.read(), os.getcwd(), os.environ['X'])"
    code, out, _ = run_agent(*RUN, "--", PYTHON, "-c", script, "-c", "--help", "", "a b",
                             input="in", cwd=tmp_path, environment={"X": "y"})
    assert code == 0
    assert out == f"['-c', '--help', '', 'a b'] in {tmp_path} y\n"


SIGNAL_STATE = "grep -E '^(SigBlk|SigIgn|SigCgt)' /proc/self/status"


def test_the_command_has_our_mask_and_dispositions():
    def prepare():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    plain = subprocess.run(["sh", "-c", SIGNAL_STATE], capture_output=True, text=True,
                           preexec_fn=prepare)
    _, out, _ = run_agent(*RUN, "--", "sh", "-c", SIGNAL_STATE, preexec_fn=prepare)
    assert out == plain.stdout and "SigBlk" in out


def test_a_closed_log_does_not_hurt_the_command():
    read, write = os.pipe()
    os.close(read)  # every line that is logged raises SIGPIPE
    child = subprocess.Popen([PROGRAM, *RUN, "--log-level", "debug", "--", "sh", "-c",
                              "sleep 1; exit 5"], stderr=write)
    os.close(write)
    assert child.wait(60) == 5


# ---- run: signals ------------------------------------------------------------------------------

COUNTER = textwrap.dedent("""
    import signal, sys, time
    wanted = [int(n) for n in sys.argv[1:]]
    seen = []
    for number in wanted:
        signal.signal(number, lambda number, frame: seen.append(number))
    print("ready", flush=True)
    while len(seen) < len(wanted):
        time.sleep(0.02)
    print(seen, flush=True)
""")
FORWARDED = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
             signal.SIGUSR2, signal.SIGWINCH, signal.SIGALRM, signal.SIGURG, signal.SIGIO,
             signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGRTMIN, signal.SIGRTMAX]


def test_passes_every_signal_on():
    with Agent(*RUN, "--", PYTHON, "-c", COUNTER, *map(int, FORWARDED),
               stdout=subprocess.PIPE) as agent:
        assert agent.child.stdout.readline() == "ready\n"
        for number in FORWARDED:
            agent.child.send_signal(number)
        assert sorted(eval(agent.child.stdout.readline())) == sorted(map(int, FORWARDED))
        assert agent.wait() == 0


def test_a_stop_can_be_continued():
    with Agent(*RUN, "--", PYTHON, "-c", COUNTER, int(signal.SIGCONT),
               stdout=subprocess.PIPE) as agent:
        assert agent.child.stdout.readline() == "ready\n"
        agent.child.send_signal(signal.SIGCONT)
        assert agent.wait() == 0


def test_a_command_that_ignores_sigterm_is_waited_for():
    script = "trap '' TERM; echo ready; sleep 1; exit 3"
    with Agent(*RUN, "--", "sh", "-c", script, stdout=subprocess.PIPE) as agent:
        assert agent.child.stdout.readline() == "ready\n"
        assert agent.stop() == 3


def test_a_signal_ends_the_command_and_then_us():
    with Agent(*RUN, "--", "sh", "-c", "echo ready; exec sleep 1000",
               stdout=subprocess.PIPE) as agent:
        assert agent.child.stdout.readline() == "ready\n"
        assert agent.stop(signal.SIGTERM) == 128 + signal.SIGTERM


def children_of(pid):
    """[(pid, state)] of its children, by a look at all processes."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append((int(entry.name), fields[0]))
    return found


# ---- run: the death of the watcher -------------------------------------------------------------

def kill_watcher(agent):
    """As the kernel would for want of memory. Returns the command's pid."""
    (watcher, _), = children_of(agent.child.pid)
    (command, _), = children_of(watcher)
    os.kill(watcher, signal.SIGKILL)
    agent.wait_for("watcher.died")
    return command


def test_the_command_survives_the_watcher():
    with Agent(*RUN, "--", PYTHON, "-c", COUNTER, int(signal.SIGUSR1),
               stdout=subprocess.PIPE) as agent:
        assert agent.child.stdout.readline() == "ready\n"
        command = kill_watcher(agent)
        assert [pid for pid, _ in children_of(agent.child.pid)] == [command]
        agent.child.send_signal(signal.SIGUSR1)
        assert agent.child.stdout.readline() == f"[{int(signal.SIGUSR1)}]\n"
        assert agent.wait() == 0


def test_orphans_and_exit_codes_survive_the_watcher():
    script = ORPHANS + "\nsys.exit(42)"
    with Agent(*RUN, "--", PYTHON, "-c", "import sys; sys.stdin.readline()\n" + script,
               stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
        wait_until(lambda: any(children_of(w) for w, _ in children_of(agent.child.pid)), "a start")
        kill_watcher(agent)
        agent.child.stdin.write("go\n")
        agent.child.stdin.flush()
        assert agent.child.stdout.readline() == "orphaned\n"
        wait_until(lambda: len(children_of(agent.child.pid)) == 1, "reaping of all orphans")
        agent.child.stdin.close()
        assert agent.wait() == 42


INTERRUPTED = textwrap.dedent("""
    import signal, time
    seen = []
    signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    print("ready", flush=True)
    while not seen:
        time.sleep(0.02)
    time.sleep(0.5)  # for a second one that must not come
    print("interrupts:", len(seen), flush=True)
""")


def test_a_terminal_interrupts_the_command_once():
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, [str(PROGRAM), *RUN, "--", PYTHON, "-c", INTERRUPTED],
                  agent_process.clean_environment())
    shown = b""
    while b"ready" not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, b"\x03")  # ^C
    while not re.search(rb"interrupts: \d+\s", shown):
        shown += os.read(terminal, 4096)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert b"interrupts: 1" in shown
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_signal_at_once_is_not_lost():
    for _ in range(20):
        with Agent(*RUN, "--", "sleep", "1000") as agent:
            agent.child.send_signal(signal.SIGTERM)
            code = agent.wait()
            # before our first instruction it kills us, as it would kill anything
            assert code in (128 + signal.SIGTERM, -signal.SIGTERM)


# ---- run: zombies ------------------------------------------------------------------------------

# Twenty grandchildren whose parents end at once; each says when it has ended, by closing its pipe.
ORPHANS = textwrap.dedent("""
    import os, sys, time
    read, write = os.pipe()
    for _ in range(20):
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(0.1)
            os._exit(0)
        os.wait()
    os.close(write)
    os.read(read, 1)
    print("orphaned", flush=True)
    sys.stdin.read()
""")


def test_reaps_orphans():
    with Agent(*RUN, "--", PYTHON, "-c", ORPHANS, stdin=subprocess.PIPE,
               stdout=subprocess.PIPE) as agent:
        assert agent.child.stdout.readline() == "orphaned\n"
        (watcher, _), = children_of(agent.child.pid)
        wait_until(lambda: len(children_of(watcher)) == 1, "reaping of all orphans")
        agent.child.stdin.close()
        assert agent.wait() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="not covered: process 1 of a namespace needs root")
def test_as_process_1_of_a_container():
    script = PYTHON + " -c \"" + ORPHANS.replace('"', "'") + "\" </dev/null; echo $PPID; ps -eo stat="
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", PROGRAM, *RUN, "--", "sh", "-c",
         script + "; exit 9"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 9, done.stderr
    lines = done.stdout.split()
    assert lines[0] == "orphaned" and lines[1] == "2"  # the watcher, process 1's child
    assert not any(state.startswith("Z") for state in lines[2:])


# ---- run: watching -----------------------------------------------------------------------------

SLEEPER = "import sys; print('ready', flush=True); sys.stdin.read()"


def test_watches_only_what_it_started():
    other = subprocess.Popen([PYTHON, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        parent = f"import subprocess; subprocess.run(['{PYTHON}', '-c', {SLEEPER!r}])"
        with Agent(*RUN, "--interval", "1s", "--", PYTHON, "-c", parent, stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE) as agent:
            agent.wait_for("process.found", count=2)
            agent.child.stdin.close()
            assert agent.wait() == 0
            found = agent.matching("process.found")
            assert len(found) == 2
            assert not any(f"pid={other.pid} " in line for line in found)
    finally:
        other.kill()
        other.communicate()


def test_without_proc_the_command_runs_unwatched():
    if os.geteuid() != 0:
        pytest.skip("not covered: hiding /proc needs root")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         f"umount -l /proc; exec {PROGRAM} {' '.join(RUN)} -- sh -c 'exit 4'"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 4, done.stderr
    assert "agent.failed" in done.stderr


# ---- doctor ------------------------------------------------------------------------------------

def test_doctor_of_a_healthy_process():
    with subprocess.Popen([PYTHON, "-c", SLEEPER], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        code, out, err = run_agent("doctor", child.pid)
        child.stdin.close()
    assert code == 0 and err == ""
    assert "counted" in out and "BAD" not in out


@pytest.mark.skipif(os.geteuid() != 0, reason="not covered: another user's process needs root")
def test_doctor_names_the_wrong_user_and_the_fix(readable_agent):
    done = subprocess.run([*as_user(65534), readable_agent, "doctor", "-o", "json", str(os.getpid())],
                          capture_output=True, text=True)
    assert done.returncode == 4
    bad, = [row for row in json.loads(done.stdout) if row["verdict"] == "bad"]
    assert bad["check"] == "user" and "65534" in bad["finding"]
    assert "SYS_PTRACE" in bad["docker"] and "runAsUser: 0" in bad["kubernetes"]
    assert "User=0" in bad["systemd"]


def test_doctor_of_nothing_and_of_no_python():
    code, out, _ = run_agent("doctor", 4194304)
    assert code == 3 and "BAD   process" in out
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        code, out, _ = run_agent("doctor", sleeper.pid)
        sleeper.kill()
    assert code == 5 and "BAD   python" in out
    assert run_agent("doctor", "x")[0] == 2


def test_doctor_surveys_every_python():
    with subprocess.Popen([PYTHON, "-c", SLEEPER], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        code, out, _ = run_agent("doctor", "-o", "json")
        child.stdin.close()
    assert code in (0, 7)  # others run here, too
    assert any(row["verdict"] == "ok" and f"process {child.pid}," in row["finding"]
               for row in json.loads(out) if row["check"] == "survey")


@pytest.mark.skipif(os.geteuid() != 0, reason="not covered: a PID namespace needs root")
def test_a_proc_of_another_namespace_is_not_believed():
    done = subprocess.run(["unshare", "--pid", "--fork", PROGRAM, *RUN, "--", "sh", "-c", "exit 6"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 6, done.stderr
    assert "agent.failed" in done.stderr and "another PID namespace" in done.stderr


# ---- watch -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def collector():
    with Collector() as running:
        yield running


HEAP = textwrap.dedent("""
    import sys
    class Item: pass
    held = [Item() for _ in range(1234)]
    print("ready", flush=True)
    sys.stdin.read()
""")


class Service:
    """A Python service with 1,234 items, until `end`."""

    def __init__(self, name, script=HEAP, **environment):
        self.child = subprocess.Popen(
            [PYTHON, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=agent_process.clean_environment(OTEL_SERVICE_NAME=name, **environment))
        assert self.child.stdout.readline() == "ready\n"

    def end(self):
        self.child.stdin.close()
        self.child.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


def watch(collector, *pids, interval="200ms", options=()):
    return Agent("watch", "--collector", collector.address, "--interval", interval,
                 "--cpu-budget", "100%", *options,
                 *[word for pid in pids for word in ("--pid", pid)])


def counts(collector, service, type_name="__main__.Item"):
    try:
        return [count for _, count in history(collector.address, service, type_name)]
    except Exception:  # not there yet
        return []


def test_streams_what_is_there(collector):
    with Service("plain-service", DD_VERSION="4.2") as service, \
            watch(collector, service.child.pid) as agent:
        found, = agent.wait_for("process.found")
        assert 'service="plain-service" version="4.2"' in found
        wait_until(lambda: len(counts(collector, "plain-service")) >= 5, "five snapshots")
        assert set(counts(collector, "plain-service")) == {1234}
        service.end()
        agent.wait_for("process.ended", "reason=exited")
        assert agent.stop() == 0
        assert agent.matching("agent.stopped", "undelivered=0")


def test_watches_more_processes_than_the_usual_limit_of_descriptors_lets_it():
    """A process is one; 16 stand for a machine's 1,024."""
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(Service("crowd")) for _ in range(16)]
        pids = [word for service in services for word in ("--pid", service.child.pid)]
        agent = stack.enter_context(Agent("watch", "--collector", NOBODY, "--flush", "0", *pids,
                                          program=("prlimit", "--nofile=20:1024", PROGRAM)))
        assert "watched=16" in agent.wait_for("scan.first")[0]


def test_streams_the_memory_around_the_objects():
    """As the kernel says it: private, its share of what is shared, and the container's."""
    with BareCollector() as bare, Service("its-memory") as service, watch(bare, service.child.pid):
        wait_until(lambda: bare.snapshots >= 2, "two snapshots")
        rollup = pathlib.Path(f"/proc/{service.child.pid}/smaps_rollup").read_text()
    pss = 1024 * int(re.search(r"^Pss: +(\d+)", rollup, re.M)[1])
    seen = [message.snapshot for message in bare.messages if message.HasField("snapshot")][0]  # others are shortened
    assert 0.8 * pss < seen.pss_bytes < 1.25 * pss
    assert 1 << 20 < seen.rss_anon_bytes < seen.pss_bytes and seen.swap_bytes == 0


def test_run_delivers_what_it_saw(collector):
    with Agent("run", "--collector", collector.address, "--interval", "200ms", "--cpu-budget", "100%",
               "--service", "wrapped", "--service-version", "7", "--flush", "60s", "--",
               PYTHON, "-c", HEAP, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
        assert agent.child.stdout.readline() == "ready\n"
        wait_until(lambda: len(counts(collector, "wrapped")) >= 3, "three snapshots")
        agent.child.stdin.close()
        assert agent.wait() == 0
        assert agent.matching("agent.stopped", "undelivered=0")
        assert agent.matching("process.ended", "reason=exited")
    deployment, = ask(collector.address, "ListDeployments", query.ListDeploymentsRequest(
        service=query.ServiceRef(name="wrapped")), query.ListDeploymentsResponse).deployments
    assert deployment.version == "7"
    assert (deployment.instances, deployment.live_instances) == (1, 0)


def test_follows_forks_and_exec(collector):
    script = textwrap.dedent(f"""
        import os, sys
        child = os.fork()
        if child == 0:
            sys.stdin.read()
            os.execv({PYTHON!r}, [{PYTHON!r}, "-c", "import time; time.sleep(1000)"])
        print("ready", flush=True)
        os.wait()
    """)
    with Service("forking", script) as service, watch(collector) as agent:
        child, = [pid for pid, _ in children_of(service.child.pid)]
        agent.wait_for("process.found", f"pid={service.child.pid} ")
        agent.wait_for("process.found", f"pid={child} ")
        service.child.stdin.close()
        agent.wait_for("process.ended", f"pid={child} reason=replaced")
        agent.wait_for("process.found", f"pid={child} ", count=2)
        os.kill(child, signal.SIGKILL)
        agent.wait_for("process.ended", f"pid={child} reason=exited")
        assert agent.stop(signal.SIGINT) == 0
    deployment, = ask(collector.address, "ListDeployments", query.ListDeploymentsRequest(
        service=query.ServiceRef(name="forking")), query.ListDeploymentsResponse).deployments
    assert deployment.instances == 3  # the parent, the child, and what that became


def test_finds_what_starts_later_and_what_execs_late(collector):
    with watch(collector) as agent:
        agent.wait_for("collector.connected")
        with Service("later"):
            agent.wait_for("process.found", 'service="later"')
        shell = subprocess.Popen(["sh", "-c", f"sleep 1; exec {PYTHON} -c 'import time; "
                                  "time.sleep(1000)'"])
        try:
            agent.wait_for("process.found", f"pid={shell.pid} ")
        finally:
            shell.kill()
            shell.wait()


def test_a_killed_collector_leaves_no_gap():
    with Collector() as collector, Service("steady") as service, \
            watch(collector, service.child.pid) as agent:
        wait_until(lambda: len(counts(collector, "steady")) >= 5, "five snapshots")
        collector.kill()
        agent.wait_for("collector.disconnected")
        before = agent.events[:]
        time.sleep(2)  # ten snapshots that only the agent has
        collector.start(collector.address)
        agent.wait_for("collector.connected", count=2)
        service.end()
        agent.wait_for("process.ended")
        assert agent.stop() == 0
        assert not agent.matching("spool.full") and before
        points = history(collector.address, "steady", "__main__.Item")
        sequences = [sequence for sequence, _ in points]
        assert len(set(sequences)) == len(sequences)
        # numbers are given without gaps when one process is watched; the last is its end
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
        assert len(sequences) > 10


def test_a_process_that_is_not_there_is_said(collector):
    with watch(collector, 4194304) as agent:
        agent.wait_for("process.missing", "pid=4194304")
        agent.wait_for("scan.first", "watched=0")
        assert agent.stop() == 0


def test_a_named_process_that_is_no_python_is_said(collector):
    sleeper = subprocess.Popen(["sleep", "1000"])
    try:
        with watch(collector, sleeper.pid) as agent:
            said, = agent.wait_for("process.skipped", f"pid={sleeper.pid} ")
            assert "reason=" in said
            assert agent.stop() == 0
    finally:
        sleeper.kill()
        sleeper.wait()


def test_an_end_without_a_collector_is_bounded():
    with Agent("watch", "--collector", NOBODY, "--interval", "200ms", "--flush", "100ms") as agent:
        agent.wait_for("collector.disconnected")
        assert agent.stop() == 0
        assert agent.matching("agent.stopped")


def test_a_process_that_may_not_be_read_is_said_once(collector, readable_agent):
    if os.geteuid() != 0:
        pytest.skip("not covered: another user's process needs root to make")
    with Service("root-owned") as service:
        command = [*as_user(65534), readable_agent, "watch", "--collector", collector.address, "--interval", "200ms"]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                                 env=agent_process.clean_environment())
        lines = []
        for line in child.stderr:
            lines.append(line)
            if f"pid={service.child.pid} " in line:
                break
        time.sleep(2)
        child.terminate()
        lines += child.stderr.readlines()
        assert child.wait(60) == 0
        about = [line for line in lines if f"pid={service.child.pid} " in line]
        assert len(about) == 1 and "process.denied" in about[0]
        assert "SYS_PTRACE" in about[0], about[0]


class MemoryGroup:
    """A control group of 64 MB, of whichever version this machine has; None where it cannot be."""

    def __init__(self):
        base = pathlib.Path("/sys/fs/cgroup")
        version_1 = (base / "memory").is_dir()
        self.folder = base / ("memory" if version_1 else "") / f"heapfleet-test-{os.getpid()}"
        self.folder.mkdir()
        limit = "memory.limit_in_bytes" if version_1 else "memory.max"
        try:
            (self.folder / limit).write_text(str(64 << 20))
        except OSError:
            self.folder.rmdir()
            raise

    def enter(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        wait_until(lambda: not (self.folder / "cgroup.procs").read_text(), "the group to be empty")
        self.folder.rmdir()


def test_an_oom_kill_is_told_from_an_exit(collector):
    try:
        group = MemoryGroup()
    except OSError as error:
        pytest.skip(f"not covered: no control group can be made here: {error}")
    greedy = "import sys; print('ready', flush=True); sys.stdin.read(); b'x' * (200 << 20)"
    patient = "import sys; print('ready', flush=True); sys.stdin.read()"

    def start(script):
        child = subprocess.Popen([PYTHON, "-c", script], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, preexec_fn=group.enter)
        child.stdout.readline()
        return child

    with group:
        # one dies of hunger; its neighbour in the same container just ends
        with start(greedy) as one, start(patient) as other, \
                watch(collector, one.pid, other.pid) as agent:
            agent.wait_for("process.found", count=2)
            one.stdin.close()
            assert one.wait(60) == -signal.SIGKILL
            agent.wait_for("process.ended", f"pid={one.pid} reason=oom_killed")
            other.stdin.close()
            agent.wait_for("process.ended", f"pid={other.pid} reason=exited")
            assert agent.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="not covered: mounting /proc needs root")
def test_a_hidden_proc_is_said(readable_agent):
    script = ("mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 65534 --clear-groups "
              f"{readable_agent} doctor")
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", script],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 4, done.stderr
    assert "BAD   proc" in done.stdout and "hidepid" in done.stdout


# ---- TLS ---------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def test_connects_with_a_certificate(certificates):
    with BareCollector(certificates) as collector, \
            Agent("watch", "--collector", collector.address, "--host", "node-7",
                  *tls_options(certificates)) as agent:
        agent.wait_for("collector.connected", 'version="bare"')
        assert collector.hosts.get(timeout=60) == ("node-7", "client")
        assert agent.stop() == 0


@pytest.mark.parametrize("wrong", [{"ca": "stranger_ca"}, {"pair": "stranger"}])
def test_does_not_talk_to_strangers(certificates, wrong):
    with BareCollector(certificates) as collector, \
            Agent("watch", "--collector", collector.address,
                  *tls_options(certificates, **wrong)) as agent:
        agent.wait_for("collector.disconnected")
        assert agent.stop() == 0
        assert collector.hosts.empty()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
