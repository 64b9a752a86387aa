"""Start a program of tests/targets, talk to it, and count it."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGETS = ROOT / "tests" / "targets"
AGENT = pathlib.Path(os.environ.get("HEAPFLEET_BIN", ROOT / "build/release/bin")) / "heapfleet-agent"


class Target:
    """A running program; its first line is in `ready`. Use it as a context: it ends with it."""

    def __init__(self, python, script, *arguments, prefix=(), env=None):
        self.here, there = python.folder()
        for path in TARGETS.glob("*.py"):
            shutil.copy(path, self.here)
        command = python.command("-B", f"{there}/{script}", *map(str, arguments))
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            [*prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, env=env or clean_environment())
        self.ready = self.reply()
        self.pid = self.ready["pid"]

    def reply(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise RuntimeError(f"the target ended ({self.process.returncode}): "
                               f"{self.errors.read()[-2000:]}")
        return json.loads(line)

    def send(self, do, **rest):
        self.process.stdin.write(json.dumps(dict(rest, do=do)) + "\n")
        self.process.stdin.flush()

    def ask(self, do, **rest):
        self.send(do, **rest)
        answer = self.reply()
        self.settle()
        return answer

    def settle(self):
        """Until it waits for the next command: what it does after an answer is done."""
        for _ in range(500):
            with open(f"/proc/{self.pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "S":
                    return
            time.sleep(0.002)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()
        shutil.rmtree(self.here, ignore_errors=True)


def clean_environment():
    """Ours without what would change the heap of a target."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "PYTEST"))}


def run_agent(*arguments, timeout=120, prefix=()):
    return subprocess.run([*prefix, str(AGENT), *map(str, arguments)], capture_output=True,
                          text=True, timeout=timeout)


def census_document(pid, *options):
    """What `census` says of a process, as it says it."""
    done = run_agent("census", pid, "-o", "json", *options)
    assert done.returncode == 0, f"census ended with {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


def census(pid):
    """{type name: (count, bytes)}"""
    return {row["type"]: (row["count"], row["bytes"]) for row in census_document(pid)["types"]}
