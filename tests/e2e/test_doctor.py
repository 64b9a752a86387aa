"""`heapfleet-agent doctor` in situations that the kernel really makes: what it names is what is in the way, and with
the fix that it names the process can be counted."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile

import pytest

from agent_process import PROGRAM, clean_environment
from as_user import as_user

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="not covered: needs root, to be other users"),
    pytest.mark.skipif(not shutil.which("setpriv"), reason="not covered: no setpriv")]

PYTHON = "/usr/bin/python3"
USER, OTHER = 1000, 2000
BOTH = "+sys_ptrace,+dac_read_search"

HELD = """
class Order:
    pass
held = [Order() for _ in range(1234)]
print("ready", flush=True)
import time
time.sleep(600)
"""
DROPS = f"import os; os.setgroups([]); os.setgid({USER}); os.setuid({USER})\n"
NOT_DUMPABLE = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"


@pytest.fixture(scope="module")
def agent():
    """A copy where any user may run it; the source may lie in a private folder."""
    with tempfile.TemporaryDirectory(prefix="heapfleet-test-") as folder:
        os.chmod(folder, 0o755)
        yield shutil.copy(PROGRAM, folder)


@contextlib.contextmanager
def service(uid=None, script=HELD):
    prefix = () if uid is None else as_user(uid)
    child = subprocess.Popen([*prefix, PYTHON, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        yield child.pid
    finally:
        child.kill()
        child.communicate()


def with_only(uid, capabilities=""):
    words = [*as_user(uid), "--bounding-set", f"-all{',' if capabilities else ''}{capabilities}"]
    if capabilities:
        words += ["--inh-caps", f"-all,{capabilities}", "--ambient-caps", f"-all,{capabilities}"]
    return words


def diagnose(agent, pid, prefix=()):
    """(exit code, {check: finding of what is bad})"""
    done = subprocess.run([*prefix, agent, "doctor", "-o", "json", str(pid)], capture_output=True, text=True,
                          timeout=60, env=clean_environment())
    assert done.stdout, done.stderr
    return done.returncode, {row["check"]: row for row in json.loads(done.stdout) if row["verdict"] == "bad"}


def check(agent, pid, name, bad_prefix, fixed_prefix):
    code, bad = diagnose(agent, pid, bad_prefix)
    assert code == 4 and list(bad) == [name]
    assert all(bad[name][way] for way in ("fix", "docker", "kubernetes", "systemd"))
    assert diagnose(agent, pid, fixed_prefix) == (0, {})
    return bad[name]


def test_another_user(agent):
    with service(USER) as pid:
        bad = check(agent, pid, "user", with_only(OTHER), with_only(USER))
        assert f"User={USER}" in bad["systemd"]
        assert diagnose(agent, pid, with_only(OTHER, BOTH)) == (0, {})


def test_one_capability_of_two(agent):
    for uid in (0, OTHER):
        with service(USER) as pid:
            bad = check(agent, pid, "files", with_only(uid, "+sys_ptrace"), with_only(uid, BOTH))
            assert "DAC_READ_SEARCH" in bad["kubernetes"]


@pytest.mark.parametrize("script", [DROPS + HELD, NOT_DUMPABLE + HELD], ids=["setuid", "prctl"])
def test_not_dumpable(agent, script):
    with service(None if script.startswith(DROPS) else USER, script) as pid:
        bad = check(agent, pid, "dumpable", with_only(USER), with_only(USER, BOTH))
        assert "runAsUser" in bad["kubernetes"]


def test_a_capability_in_another_user_namespace(agent):
    with service(OTHER) as pid:
        code, bad = diagnose(agent, pid, [*with_only(USER), "unshare", "--user", "--map-root-user"])
        assert code == 4 and "capability" in bad and "hostUsers" in bad["capability"]["kubernetes"]


# ---- seccomp -----------------------------------------------------------------------------------

PROCESS_VM_READV = {"x86_64": 310, "aarch64": 270}
FORBIDDING = """
import ctypes, os, struct, sys
number = int(sys.argv[1])
def step(code, yes, no, value):
    return struct.pack("HBBI", code, yes, no, value)
steps = [step(0x20, 0, 0, 0),            # the call's number
         step(0x15, 0, 1, number),       # this one:
         step(0x06, 0, 0, 0x50000 | 1),  # EPERM
         step(0x06, 0, 0, 0x7fff0000)]   # others: allowed
program = ctypes.create_string_buffer(b"".join(steps))
fprog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0                     # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(fprog)), 0, 0) == 0  # PR_SET_SECCOMP
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.skipif(os.uname().machine not in PROCESS_VM_READV, reason="not covered: another machine")
def test_a_seccomp_filter(agent):
    number = str(PROCESS_VM_READV[os.uname().machine])
    with service() as pid:
        bad = check(agent, pid, "seccomp", [PYTHON, "-c", FORBIDDING, number], ())
        assert "process_vm_readv" in bad["fix"]


# ---- /proc -------------------------------------------------------------------------------------


def test_a_proc_that_hides_others(agent):
    script = f'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid {OTHER} --regid {OTHER} --clear-groups "$@"'
    with service(USER) as pid:
        code, bad = diagnose(agent, pid, ["unshare", "--mount", "sh", "-c", script, "sh"])
        assert code == 3 and set(bad) == {"proc", "process"}
        assert "ProtectProc=default" in bad["proc"]["systemd"]
