"""The demonstration, as a newcomer runs it: what it shows, and that it cleans up behind itself."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("HEAPFLEET_BIN", ROOT / "build/release/bin"))
DEMO = ROOT / "deploy" / "demo"


class Demo:
    """A run of it, whose processes are known by a mark in their environment."""

    def __init__(self):
        (ROOT / "build").mkdir(exist_ok=True)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="test-demo-", dir=ROOT / "build"))
        self.folder.chmod(0o711)
        self.mark = f"DEMO_MARK={uuid.uuid4()}".encode()
        self.elsewhere = self.temporary_files()

    def start(self):
        name, _, value = self.mark.decode().partition("=")
        return subprocess.Popen(
            ["/usr/bin/python3", str(DEMO / "demo.py"), "--bin", str(BIN), "--dir", str(self.folder)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, name: value})

    def processes(self):
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if self.mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                pass
        return found

    @staticmethod
    def temporary_files():
        return set(pathlib.Path(tempfile.gettempdir()).glob("heapfleet-demo-*"))

    def assert_nothing_is_left(self):
        assert self.processes() == []
        assert list(self.folder.iterdir()) == []
        assert self.temporary_files() <= self.elsewhere
        assert not (DEMO / "__pycache__").exists()


@pytest.fixture
def demo():
    demo = Demo()
    yield demo
    for left in {demo.folder} | (demo.temporary_files() - demo.elsewhere):
        shutil.rmtree(left, ignore_errors=True)


def test_it_finds_the_leak_and_leaves_nothing(demo):
    process = demo.start()
    shown, _ = process.communicate(timeout=240)
    assert process.returncode == 0, shown
    leak = next(line for line in shown.splitlines() if "  shop     shop.Cart  " in line)
    assert " v2 " in leak
    for command in ("services", "deployments shop", "leaks", "compare shop v1 v2",
                    "history shop shop.Cart"):
        assert f"$ heapfleet {command}" in shown
    assert "\033" not in shown  # no terminal, no colours
    demo.assert_nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped(demo, number):
    process = demo.start()
    while "serve requests" not in process.stdout.readline():
        assert process.poll() is None
    assert any("serve.py" in command for command in demo.processes())
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    demo.assert_nothing_is_left()


def test_nothing_outlives_it_when_it_is_killed(demo):
    process = demo.start()
    while "serve requests" not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while demo.processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert demo.processes() == []
