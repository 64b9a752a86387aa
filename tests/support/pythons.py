"""The CPython interpreters of this machine: installed, pyenv's, and those of `./dev pythons`.

The latter live in root file systems of their own and are started with chroot, which needs root and
shows on the way that a census finds its way through another file system.
"""
import dataclasses
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MINORS = range(8, 16)  # of the CPython 3 that a census counts


@dataclasses.dataclass(frozen=True)
class Python:
    path: str  # as its own root file system names it
    root: str  # "" or the root file system that it lives in
    version: str  # "3.11.7"
    numpy: bool = False

    @property
    def minor(self):
        return int(self.version.split(".")[1])

    @property
    def name(self):
        return self.version + (f"@{pathlib.Path(self.root).name}" if self.root else "")

    def command(self, *arguments):
        return (["chroot", self.root] if self.root else []) + [self.path, *arguments]

    def folder(self):
        """A new folder that the interpreter can see, as (path here, path there)."""
        if not self.root:
            path = tempfile.mkdtemp(prefix="heapfleet-")
            return path, path
        path = tempfile.mkdtemp(prefix="heapfleet-", dir=os.path.join(self.root, "tmp"))
        os.chmod(path, 0o755)
        return path, path[len(self.root):]


def _candidates():
    yield from (("", str(path)) for path in sorted(pathlib.Path("/usr/bin").glob("python3.*")))
    yield from (("", str(path)) for path in
                sorted(pathlib.Path.home().glob(".pyenv/versions/*/bin/python3")))
    if os.geteuid() == 0 and shutil.which("chroot"):
        for path in sorted(ROOT.glob("build/pythons/*/usr/bin/python3.*")):
            root = path.parent.parent.parent
            yield str(root), str(path)[len(str(root)):]


PROBE = """
import importlib.util, sys
print("%d.%d.%d" % sys.version_info[:3], importlib.util.find_spec("numpy") is not None,
      sys.implementation.name, hasattr(sys, "gettotalrefcount"),
      getattr(sys, "_is_gil_enabled", lambda: True)())
"""


def _probe(root, path):
    """The words that PROBE prints, or None: it does not run, or is no CPython."""
    try:
        done = subprocess.run(Python(path, root, "").command("-c", PROBE), capture_output=True,
                              text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    return words if not done.returncode and len(words) == 5 and words[2] == "cpython" else None


def _ask(root, path):
    """What it says of itself, or None: it does not run, or a census is not for it."""
    if not re.search(r"/python3(\.\d+)?$", path):
        return None
    words = _probe(root, path)
    if not words or words[3:] != ["False", "True"]:
        return None
    if not (words[0].startswith("3.") and int(words[0].split(".")[1]) in MINORS):
        return None
    return Python(path, root, words[0], words[1] == "True")


@functools.lru_cache(maxsize=None)
def all_pythons():
    """One for each version and place, oldest first."""
    found = {}
    for root, path in _candidates():
        python = _ask(root, path)
        if python:
            found.setdefault(python.name, python)
    return sorted(found.values(), key=lambda python: [int(part) for part in
                                                      python.version.split(".")])


def other_builds():
    """[(kind, Python)] of builds that a census refuses: "debug", "free-threaded"."""
    found = []
    for root, path in _candidates():
        if not re.search(r"/python3\.\d+(-dbg|t|-nogil)$", path):
            continue
        words = _probe(root, path)
        if words and words[3] == "True":
            found.append(("debug", Python(path, root, words[0])))
        elif words and words[4] == "False":
            found.append(("free-threaded", Python(path, root, words[0])))
    return found


def _make_numpy():
    """An environment of our own with numpy from PyPI in it: its interpreter, or None."""
    environment = ROOT / "build" / "numpy"
    interpreter = environment / "bin" / "python3"
    for command in ([sys.executable, "-m", "venv", environment],
                    [interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                     "--retries", "1", "--timeout", "15", "numpy"]):
        if not _ask("", str(interpreter)) or not _ask("", str(interpreter)).numpy:
            subprocess.run(command, capture_output=True, timeout=300, check=False)
    return _ask("", str(interpreter))


@functools.lru_cache(maxsize=None)
def with_numpy():
    """Those that have it; one is made if none has."""
    found = [python for python in all_pythons() if python.numpy]
    made = None if found else _make_numpy()
    return found or [python for python in (made,) if python and python.numpy]


def one_per_minor():
    """The newest patch release of each minor version, those without a chroot first."""
    chosen = {}
    for python in all_pythons():
        best = chosen.get(python.minor)
        if not best or (best.root and not python.root):
            chosen[python.minor] = python
    return [chosen[minor] for minor in sorted(chosen)]


def first_and_last():
    """The oldest and the newest patch release of each minor version: layouts change in between, too."""
    found = {}
    for python in all_pythons():
        found.setdefault(python.minor, []).append(python)
    return [python for minor in sorted(found) for python in dict.fromkeys((found[minor][0], found[minor][-1]))]


def with_minor(*minors):
    return [python for python in one_per_minor() if python.minor in minors]


def not_covered():
    """A line for each version that the tests could not start."""
    have = {python.minor for python in all_pythons()}
    return [f"not covered: CPython 3.{minor} (no interpreter on this machine; ./dev pythons brings "
            "what Debian has, as root)" for minor in MINORS if minor not in have]
