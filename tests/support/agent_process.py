"""heapfleet-agent as a child of the test, with what it logs."""
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("HEAPFLEET_BIN", ROOT / "build/release/bin"))
PROGRAM = BIN / "heapfleet-agent"
NOBODY = "127.0.0.1:1"  # where no collector answers


def clean_environment(**more):
    """Ours, without what would configure the agent or name a service."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("HEAPFLEET_", "OTEL_", "DD_", "K8S_", "POD_"))}
    return {**kept, **more}


def run_agent(*arguments, environment=None, **more):
    """The agent, to its end: (exit code, stdout, stderr)."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, env=clean_environment(**(environment or {})), **more)
    return done.returncode, done.stdout, done.stderr


class Agent:
    """An agent in the background. `events` are its log lines so far: (event, text)."""

    def __init__(self, *arguments, environment=None, program=(PROGRAM,), **more):
        self.events = []
        self.changed = threading.Condition()
        self.child = subprocess.Popen([*program, *map(str, arguments)], stderr=subprocess.PIPE,
                                      text=True, env=clean_environment(**(environment or {})),
                                      **more)
        self.reader = threading.Thread(target=self._follow, daemon=True)
        self.reader.start()

    def _follow(self):
        for line in self.child.stderr:
            found = re.match(r"\S+Z \w+ +(\S+) ?(.*)", line)
            with self.changed:
                self.events.append((found[1], found[2]) if found else ("", line.rstrip()))
                self.changed.notify_all()

    def matching(self, event, text=""):
        return [line for name, line in self.events if name == event and text in line]

    def wait_for(self, event, text="", count=1, seconds=60):
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.matching(event, text)) >= count, seconds)
        assert came, f"no {event} {text} among {self.events}"
        return self.matching(event, text)

    def stop(self, number=signal.SIGTERM, seconds=60):
        self.child.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds=60):
        code = self.child.wait(seconds)
        self.reader.join(seconds)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)
