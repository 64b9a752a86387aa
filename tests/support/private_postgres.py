"""A PostgreSQL of a test's own, that may be killed, stopped for a while and started again."""
import os
import pathlib
import pwd
import signal
import subprocess
import time

from as_user import as_user


def server_bin():
    """Where initdb and postgres are: HEAPFLEET_POSTGRES_BIN, else the system's newest."""
    asked = os.environ.get("HEAPFLEET_POSTGRES_BIN")
    if asked:
        return pathlib.Path(asked)
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    assert found, "there is no PostgreSQL on this machine"
    return found[-1]


class PrivatePostgres:
    """Its files are below `folder`, which its user must be able to reach. `settings` win over
    what is usual here."""

    def __init__(self, folder, programs=None, settings=()):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.bin = programs or server_bin()
        self.settings = [word for setting in settings for word in ("-c", setting)]
        self.child = None
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.dsn = f"host={self.folder} user=heapfleet dbname=postgres"

    def _as_its_user(self, *command):
        """PostgreSQL refuses to be root."""
        return (*as_user(self.user.pw_uid, self.user.pw_gid), *command) if self.user else command

    def create(self):
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        subprocess.run(self._as_its_user(self.bin / "initdb", "-D", self.data, "-U", "heapfleet", "-A", "trust",
                                         "--locale=C", "-E", "UTF8", "--no-sync"),
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        return self

    def create_standby(self, primary):
        """A copy of one that runs, which follows it and is asked before a commit is confirmed. It is made
        while that one rests: not every set of programs has pg_basebackup."""
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        primary.child.send_signal(signal.SIGINT)
        primary.child.wait()
        subprocess.run(["cp", "-a", primary.data, self.data], check=True)
        primary.start()
        subprocess.run(self._as_its_user("touch", self.data / "standby.signal"), check=True)
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as settings:
            settings.write(f"primary_conninfo = '{primary.dsn} application_name=standby'\n")
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        primary.sql("SELECT pg_reload_conf()")
        return self

    def sql(self, text, dsn=None):
        """What psql prints, bare."""
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", dsn or self.dsn, "-c",
                               text], check=True, capture_output=True, text=True).stdout.strip()

    def start(self, seconds=60):
        deadline = time.monotonic() + seconds
        while True:  # children of one that was killed hold its memory for a moment
            with open(self.folder / "log", "ab") as log:
                self.child = subprocess.Popen(
                    self._as_its_user(self.bin / "postgres", "-D", self.data, "-k", self.folder, "-c",
                                      "listen_addresses=", "-c", "max_wal_size=32MB", "-c", "min_wal_size=32MB",
                                      "-c", "shared_buffers=16MB", *self.settings),
                    stdout=log, stderr=log, cwd="/")
            while self.child.poll() is None:
                if subprocess.run(["pg_isready", "-q", "-d", self.dsn]).returncode == 0:
                    return self
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.05)
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.1)

    def processes(self):
        children = subprocess.run(["pgrep", "-P", str(self.child.pid)], capture_output=True, text=True).stdout
        return [self.child.pid, *map(int, children.split())]

    def signal_all(self, number):
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        self.child.kill()
        self.child.wait()

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def stop(self):
        if self.is_running():
            self.child.send_signal(signal.SIGQUIT)
            self.child.wait()
