"""Prometheus as Debian ships it, on loopback, with a data directory of its own.

The package is unpacked, not installed: installing it would start a server on the machine.
"""
import http.client
import json
import os
import pathlib
import socket
import struct
import subprocess
import time
import urllib.parse

SEGMENT_BYTES = 10 * 2**20  # of its WAL
START_S = 30


def program(place):
    """Path of the program, or None and why."""
    binary = place / "prometheus" / "usr" / "bin" / "prometheus"
    if binary.exists():
        return binary, ""
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["apt-get", "-q", "download", "prometheus"], cwd=place, capture_output=True,
                          text=True)
    packages = sorted(place.glob("prometheus_*.deb"))
    if done.returncode or not packages:
        return None, "apt-get cannot download the package prometheus"
    subprocess.run(["dpkg-deb", "-x", packages[-1], place / "prometheus"], check=True)
    return binary, ""


def tree_bytes(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


class Prometheus:
    def __init__(self, binary, folder):
        self.folder = pathlib.Path(folder)
        config = self.folder / "prometheus.yml"
        config.write_text("global: {}\n")
        with socket.socket() as probe:  # it cannot say which port it got: take one that is free now
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            [binary, f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
             "--web.enable-admin-api", "--storage.tsdb.retention.time=10y",
             f"--storage.tsdb.wal-segment-size={SEGMENT_BYTES}B"],
            stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.connection = None
        until = time.monotonic() + START_S
        while not self.is_ready():
            if time.monotonic() > until or self.process.poll() is not None:
                raise SystemExit(f"prometheus does not start: see {self.folder}/log")
            time.sleep(0.1)

    def is_ready(self):
        try:
            return self.ask("GET", "/-/ready")[0] == 200
        except OSError:
            self.connection = None
            return False

    def ask(self, method, path, body=None, headers=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def write(self, frame):
        status, text = self.ask("POST", "/api/v1/write", frame, {
            "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0"})
        if status // 100 != 2:
            raise SystemExit(f"prometheus refuses what is written: {text.decode(errors='replace')}")

    def write_all(self, stream):
        """Frames as storage_load writes them: length, bytes."""
        while True:
            head = stream.read(4)
            if not head:
                return
            self.write(stream.read(struct.unpack("<I", head)[0]))

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wal_bytes(self):
        """Written so far: segments that a checkpoint has removed too, by their numbers."""
        segments = sorted((self.folder / "data" / "wal").glob("[0-9]*"))
        return int(segments[-1].name) * SEGMENT_BYTES + segments[-1].stat().st_size

    def disk_bytes(self):
        """Of its blocks, after it has made blocks of all that it has."""
        status, text = self.ask("POST", "/api/v1/admin/tsdb/snapshot")
        if status != 200:
            raise SystemExit(f"prometheus makes no snapshot: {text.decode(errors='replace')}")
        name = json.loads(text)["data"]["name"]
        return tree_bytes(self.folder / "data" / "snapshots" / name)

    def query_ms(self, path, **arguments):
        """Time of one query; the answer must not be empty."""
        began = time.monotonic()
        status, text = self.ask("GET", f"/api/v1/{path}?" + urllib.parse.urlencode(arguments))
        took_ms = (time.monotonic() - began) * 1e3
        if status != 200 or not json.loads(text)["data"]["result"]:
            raise SystemExit(f"prometheus does not answer {arguments}: {text[:300]!r}")
        return took_ms

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
