"""A Citus cluster of a test's own: a coordinator and its workers, on loopback."""
import pathlib
import socket

from private_postgres import PrivatePostgres

SETTINGS = ("shared_preload_libraries=citus", "listen_addresses=127.0.0.1", "citus.node_conninfo=sslmode=disable",
            "citus.enable_unsafe_triggers=on", "max_connections=200", "citus.shard_count=8")


def citus_bin():
    """The programs of a PostgreSQL that has Citus beside it; None: this machine has none."""
    found = pathlib.Path("/usr/lib/postgresql").glob("*/lib/citus.so")
    newest = max(found, key=lambda path: int(path.parent.parent.name), default=None)
    return newest.parent.parent / "bin" if newest else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class CitusCluster:
    """`coordinator` is a PrivatePostgres with Citus in its database; the facts go to `workers`, once they
    are added."""

    def __init__(self, folder, workers=2):
        nodes = []
        for i in range(workers + 1):
            place = pathlib.Path(folder) / f"node{i}"
            place.mkdir()
            node = PrivatePostgres(place, citus_bin(), (*SETTINGS, f"port={free_port()}"))
            node.port = node.settings[-1].removeprefix("port=")
            node.dsn += f" port={node.port}"
            nodes.append(node)
        self.coordinator, *self.workers = nodes

    def start(self):
        for node in (self.coordinator, *self.workers):
            node.create().start()
            node.sql("CREATE EXTENSION citus")
        return self

    def add_workers(self):
        self.coordinator.sql(f"SELECT citus_set_coordinator_host('127.0.0.1', {self.coordinator.port})")
        for node in self.workers:
            self.coordinator.sql(f"SELECT citus_add_node('127.0.0.1', {node.port})")

    def stop(self):
        for node in (self.coordinator, *self.workers):
            node.stop()
