"""Which processes the agent finds its way into: how their Python was built and linked, where it lies, what
namespaces they live in, and what becomes of them."""
import contextlib
import math
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sysconfig
import textwrap
import time

import pytest
import pythons

from agent_process import NOBODY, PROGRAM, Agent, run_agent, wait_until
from target import TARGETS, census, clean_environment

PYTHON = "/usr/bin/python3"
HELD = 1234
SCRIPT = f"""
class Order:
    pass
held = [Order() for _ in range({HELD})]
print("ready", flush=True)
"""
SLEEPING = SCRIPT + "import time\ntime.sleep(600)\n"

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="not covered: needs root")


@contextlib.contextmanager
def running(*command, **more):
    """A process that has said "ready"; killed at the end."""
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, **more)
    try:
        line = child.stdout.readline()
        assert line == "ready\n", child.communicate(timeout=10)
        yield child
    finally:
        child.kill()
        child.communicate()


def check(pid, name="__main__.Order"):
    assert census(pid)[name][0] == HELD


# ---- a program that embeds Python --------------------------------------------------------------


def build(folder, *options, archive=None, strip=False):
    """embed.c with the distribution's Python; `archive`: of the names that distributions use for it."""
    where = pathlib.Path(sysconfig.get_config_var("LIBPL"))
    library = [f"-lpython{sysconfig.get_config_var('LDVERSION')}"]
    if archive:
        name = sysconfig.get_config_var("LIBRARY")
        files = [where / name.replace(".a", f"{archive}.a")] if archive != "plain" else [where / name]
        if not files[0].exists():
            pytest.skip(f"not covered: there is no {files[0]}")
        needed = " ".join(sysconfig.get_config_var(key) or "" for key in ("MODLIBS", "LIBS", "SYSLIBS"))
        library = [*files, *dict.fromkeys(needed.split()), "-lutil"]
    program = folder / "orders"
    done = subprocess.run(["cc", *options, f"-I{sysconfig.get_config_var('INCLUDEPY')}",
                           TARGETS / "embed.c", "-o", program, *library],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not covered: cannot link this way here: " + done.stderr.splitlines()[-1])
    if strip:
        subprocess.run(["strip", program], check=True)
    return program


EMBEDDED = {
    "shared library": ((), {}),
    "archive": (("-rdynamic",), {"archive": "-pic"}),
    "archive, stripped": (("-rdynamic",), {"archive": "-pic", "strip": True}),
    "archive, at a fixed address": (("-no-pie", "-rdynamic"), {"archive": "plain"}),
    "archive, no symbol left": ((), {"archive": "-pic", "strip": True}),
    "static program, no symbol left": (("-static", "-no-pie"), {"archive": "plain", "strip": True}),
}


@pytest.mark.skipif(not pathlib.Path(sysconfig.get_config_var("INCLUDEPY"), "Python.h").exists(),
                    reason="not covered: no Python.h (libpython3-dev)")
@pytest.mark.parametrize("way", EMBEDDED)
def test_an_embedded_python(way, tmp_path):
    options, more = EMBEDDED[way]
    with running(build(tmp_path, *options, **more), SCRIPT) as program:
        check(program.pid)


@pytest.mark.skipif(not shutil.which("uwsgi"), reason="not covered: no uWSGI (uwsgi-plugin-python3)")
def test_uwsgi_and_its_workers(tmp_path):
    (tmp_path / "shop.py").write_text(SCRIPT + textwrap.dedent("""
        def application(environment, start_response):
            start_response("200 OK", [])
            return [b""]
    """))
    command = ["uwsgi", "--plugin", "python3", "--http-socket", "127.0.0.1:0", "--wsgi-file",
               "shop.py", "--master", "--processes", "2", "--need-app", "--disable-logging"]
    log = (tmp_path / "log").open("w")
    master = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        wait_until(lambda: "spawned uWSGI worker 2" in (tmp_path / "log").read_text(), "two workers")
        workers = pathlib.Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        assert len(workers) == 2
        for pid in (master.pid, *map(int, workers)):
            held = [count for name, (count, _) in census(pid).items() if name.endswith(".Order")]
            assert held == [HELD]
    finally:
        master.send_signal(signal.SIGQUIT)
        master.wait(30)


def test_the_debug_allocator():
    """It puts a header before each object, so that pools look otherwise."""
    for allocator in ("pymalloc", "debug", "malloc"):
        environment = {**clean_environment(), "PYTHONMALLOC": allocator}
        with running(PYTHON, "-c", SLEEPING, env=environment) as program:
            found = census(program.pid)
            assert found["__main__.Order"][0] == HELD
            assert found["dict"][0] > 500 and found["function"][0] > 100, allocator


# ---- where the program lies --------------------------------------------------------------------


def copy_of_python(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    return pathlib.Path(shutil.copy(os.path.realpath(PYTHON), folder / name))


PLACES = {
    "another name": ("", "shop-service"),
    "a path longer than most": ("/".join("d" * 200 for _ in range(10)), "python3"),
    "a newline in its path": ("new\nline", "python3"),
    "a blank and a deleted look": ("odd (deleted)", "python3 (deleted)"),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_executable_in_an_odd_place(place, tmp_path):
    folder, name = PLACES[place]
    program = copy_of_python(tmp_path / folder, name)
    fd = os.open(program.parent, os.O_PATH)
    try:  # a path may be longer than execve takes
        with running(f"./{name}", "-c", SLEEPING, cwd=f"/proc/self/fd/{fd}", pass_fds=(fd,)) as child:
            check(child.pid)
    finally:
        os.close(fd)


def test_an_executable_that_was_deleted_or_replaced(tmp_path):
    program = copy_of_python(tmp_path, "python3")
    with running(program, "-c", SLEEPING) as child:
        program.unlink()
        check(child.pid)
        shutil.copy("/bin/true", program)
        check(child.pid)


def test_a_library_that_was_upgraded(tmp_path):
    program = build(tmp_path)
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    library = shutil.copy(re.search(r"=> (\S*libpython\S*)", linked)[1], tmp_path)
    environment = {**clean_environment(), "LD_LIBRARY_PATH": str(tmp_path)}
    with running(program, SCRIPT, env=environment) as child:
        os.unlink(library)
        assert f"{library} (deleted)" in pathlib.Path(f"/proc/{child.pid}/maps").read_text()
        check(child.pid)


def test_an_executable_that_never_had_a_file():
    with open(os.path.realpath(PYTHON), "rb") as file:
        image = file.read()
    fd = os.memfd_create("service")
    os.write(fd, image)
    with running(f"/proc/self/fd/{fd}", "-c", SLEEPING, pass_fds=(fd,)) as child:
        check(child.pid)
    os.close(fd)


@pytest.mark.parametrize("kind", ["--symlinks", "--copies"])
def test_a_virtual_environment(kind, tmp_path):
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", kind, tmp_path], check=True)
    with running(tmp_path / "bin/python", "-c", SLEEPING) as child:
        check(child.pid)


def test_a_prefix_that_was_moved(tmp_path):
    """As conda does it: PREFIX/bin/python3.X has the interpreter in it, PREFIX/lib/python3.X its modules,
    and the name that one runs is a link."""
    found = [python for python in pythons.all_pythons() if ".pyenv/" in python.path]
    if not found:
        pytest.skip("not covered: no Python with a prefix of its own (pyenv)")
    for python in found:
        prefix = tmp_path / python.name
        name = f"python3.{python.minor}"
        (prefix / "bin").mkdir(parents=True)
        copy = pathlib.Path(shutil.copy(os.path.realpath(python.path), prefix / "bin" / name))
        (prefix / "lib").symlink_to(pathlib.Path(python.path).parent.parent / "lib")
        (prefix / "bin/python").symlink_to(name)
        with running(prefix / "bin/python", "-c", SLEEPING) as child:
            assert os.readlink(f"/proc/{child.pid}/exe") == str(copy)
            check(child.pid)


# ---- namespaces --------------------------------------------------------------------------------

NAMESPACES = {
    "mounts and pids": ("--mount", "--pid", "--fork", "--mount-proc"),
    "users too": ("--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"),
}


@root_only
@pytest.mark.parametrize("kind", NAMESPACES)
def test_other_namespaces(kind):
    with running("unshare", "--kill-child", *NAMESPACES[kind], PYTHON, "-c", SLEEPING) as outer:
        inner, = pathlib.Path(
            f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        check(int(inner))
        code, out, _ = run_agent("doctor", inner)
        assert code == 0 and "in a PID namespace of its own" in out


# ---- what is not for us ------------------------------------------------------------------------

I386 = bytes.fromhex("b81d000000cd80ebf7")  # mov $29, %eax (pause); int $0x80; and again


def program_of_32_bits(path):
    base, head = 0x08048000, 52 + 32
    header = b"\x7fELF\1\1\1" + bytes(9) + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, base + head, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, base, base, head + len(I386), head + len(I386), 5, 4096)
    path.write_bytes(header + segment + I386)
    path.chmod(0o755)
    return path


def test_a_program_of_another_architecture(tmp_path):
    try:
        child = subprocess.Popen([program_of_32_bits(tmp_path / "python3")])
    except OSError as error:
        pytest.skip(f"not covered: this kernel runs no 32-bit programs: {error}")
    try:
        code, out, err = run_agent("census", child.pid)
        assert code == 5 and out == "" and "no 64-bit program" in err
        assert len(err.splitlines()) == 1
    finally:
        child.kill()
        child.wait()


def reads_of(pid):
    return int(re.search(r"syscr: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text())[1])


def test_thousands_that_are_no_python_are_looked_at_once():
    """By the agent's reads: ten and more for a look, two for a glance whether it is still the same.

    A glance comes after half of a process's age; how many there are depends on how long all of it takes."""
    count, settled = 2000, 3.1  # older than that, a process is what it is
    crowd = [os.posix_spawn("/bin/sleep", ["sleep", "600"], {}) for _ in range(count)]
    try:
        time.sleep(settled)
        began = time.monotonic()
        with Agent("watch", "--collector", NOBODY, "--interval", "400ms",
                   "--cpu-budget", "100%") as agent:
            agent.wait_for("scan.first")
            looked = reads_of(agent.child.pid)
            time.sleep(3)  # fifteen scans
            glanced = reads_of(agent.child.pid) - looked
            age = settled + time.monotonic() - began
            assert agent.stop() == 0
        assert looked > 8 * count  # or this test does not see what it is for
        glances = 1 + math.log(age / settled, 1.5)
        assert glanced < (2 * glances + 1) * count
    finally:
        for pid in crowd:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


# ---- what becomes of them ----------------------------------------------------------------------

METHODS = ("fork", "spawn", "forkserver")


@pytest.mark.parametrize("method", METHODS)
def test_the_workers_of_multiprocessing(method, tmp_path):
    script = tmp_path / "workers.py"
    script.write_text(textwrap.dedent(f"""
        import multiprocessing, os, time

        def work(said):
            said.put(os.getpid())
            time.sleep(600)

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            said = context.Queue()
            for _ in range(3):
                context.Process(target=work, args=(said,), daemon=True).start()
            print(*(said.get() for _ in range(3)), flush=True)
            time.sleep(600)
    """))
    with Agent("run", "--collector", NOBODY, "--interval", "200ms", "--flush", "0", "--", PYTHON, script,
               stdout=subprocess.PIPE) as agent:
        for pid in agent.child.stdout.readline().split():
            agent.wait_for("process.found", f"pid={pid} ")
            os.kill(int(pid), signal.SIGKILL)
            agent.wait_for("process.ended", f"pid={pid} reason=exited")
        agent.stop()


def test_a_prefork_server_that_replaces_its_workers(tmp_path):
    """As gunicorn does: a master that imports nothing of the application, workers that come and go."""
    script = tmp_path / "gunicorn"
    script.write_text(textwrap.dedent("""
        import os, signal, time
        workers = []
        def start():
            workers.append(os.fork())
            if workers[-1] == 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                time.sleep(600)
        def end(*_):
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        signal.signal(signal.SIGTERM, end)
        for _ in range(3):
            start()
        while True:
            workers.remove(os.wait()[0])
            start()
    """))
    with Agent("run", "--collector", NOBODY, "--interval", "200ms", "--flush", "0", "--", PYTHON, script,
               "shop.wsgi:app") as agent:
        agent.wait_for("process.found", 'service="shop"', count=4)
        pids = [re.search(r"pid=(\d+)", line)[1] for line in agent.matching("process.found")]
        os.kill(int(pids[-1]), signal.SIGKILL)
        agent.wait_for("process.ended", f"pid={pids[-1]} ")
        agent.wait_for("process.found", 'service="shop"', count=5)
        agent.stop()


REUSE = f"""
import os, subprocess, sys, time
def start_as(pid):
    open("/proc/sys/kernel/ns_last_pid", "w").write(str(pid - 1))
    child = subprocess.Popen([{PYTHON!r}, "-c", {SLEEPING!r}], stdout=subprocess.PIPE)
    child.stdout.readline()
    assert child.pid == pid, child.pid
    return child
first = start_as(3000)
print("ready", flush=True)
sys.stdin.readline()
first.kill(); first.wait()
second = start_as(3000)
print("again", flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def reused_pid():
    """A PID namespace where the pid 3000 is given to another process once a line is written: (who reads
    it, its process 1)."""
    master = subprocess.Popen(
        ["unshare", "--kill-child", "--mount", "--pid", "--fork", "--mount-proc", PYTHON, "-c", REUSE],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert master.stdout.readline() == "ready\n"
        inner, = pathlib.Path(
            f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        yield master, int(inner)
    finally:
        master.kill()
        master.communicate()


def enter(pid):
    return ["nsenter", "--target", str(pid), "--mount", "--pid", str(PROGRAM)]


@root_only
@pytest.mark.skipif(not os.path.exists("/proc/sys/kernel/ns_last_pid"),
                    reason="not covered: this kernel cannot choose a pid")
@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
def test_a_pid_that_is_given_to_another(named):
    with reused_pid() as (master, inner), \
            Agent("watch", "--collector", NOBODY, "--interval", "200ms",
                  *(("--pid", "3000") if named else ()), program=enter(inner)) as agent:
        agent.wait_for("process.found", "pid=3000 ")
        master.stdin.write("\n")
        master.stdin.flush()
        assert master.stdout.readline() == "again\n"
        agent.wait_for("process.ended", "pid=3000 reason=exited")
        if named:  # somebody else's, whom nobody named
            time.sleep(1)
            assert len(agent.matching("process.found")) == 1
        else:
            agent.wait_for("process.found", "pid=3000 ", count=2)
