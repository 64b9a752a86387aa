"""A heapfleet-collector as a child of the test, with a private database, on a port of its own."""
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("HEAPFLEET_BIN", ROOT / "build/release/bin"))
PROGRAM = BIN / "heapfleet-collector"


def new_folder():
    """A folder that the database's user can reach too: below the build directory, unless that is private."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    is_open = all(folder.stat().st_mode & stat.S_IXOTH for folder in (build, *build.parents))
    folder = tempfile.mkdtemp(prefix="test-collector-", dir=build if is_open else None)
    os.chmod(folder, 0o711)
    return pathlib.Path(folder)


class Collector:
    """`private`: with a database of its own in `folder`, else with the one that is named."""

    def __init__(self, folder=None, options=(), environment=None, private=True):
        self.private = private
        self.owns_folder = folder is None
        self.folder = folder or new_folder()
        self.options = list(options)
        self.environment = environment or {}
        self.child = None
        self.address = None
        self.lines = []

    def start(self, listen="127.0.0.1:0", seconds=60):
        command = [str(PROGRAM), "serve", "--listen", listen, *self.options]
        if self.private:
            command += ["--data-dir", str(self.folder / "data")]
        clean = {k: v for k, v in os.environ.items()
                 if k == "HEAPFLEET_POSTGRES_BIN" or not k.startswith(("PG", "HEAPFLEET_", "DATABASE_URL"))}
        self.child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                                      env={**clean, **self.environment})
        ready = threading.Event()
        threading.Thread(target=self._follow, args=(self.child, ready), daemon=True).start()
        deadline = time.monotonic() + seconds
        while not ready.wait(0.05):
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("the collector did not start:\n" + self.log())
        return self

    def _follow(self, child, ready):
        for line in child.stderr:
            self.lines.append(line)
            found = re.search(r"collector\.ready listen=(\S+)", line)
            if found:
                self.address = found.group(1)
                ready.set()

    def log(self):
        return "".join(self.lines)

    def wait_log(self, words, times=1, seconds=60):
        """Until so many lines hold the words."""
        deadline = time.monotonic() + seconds
        while sum(words in line for line in self.lines) < times:
            if time.monotonic() > deadline:
                raise AssertionError(f"no {words!r} in the log:\n" + self.log())
            time.sleep(0.02)

    def kill(self):
        """As an out-of-memory kill would: no goodbye."""
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, seconds=30):
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(seconds)

    def remove(self):
        if self.child and self.child.poll() is None:
            self.stop()
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.remove()
