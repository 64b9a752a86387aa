#!/usr/bin/env python3
"""What a fleet costs the collector, on this machine, with PostgreSQL and the fleet itself beside it.

usage: load.py --bin DIR [--plaintext] [--only NAME ...] [--agents N]

Each scenario has a collector and a private database of its own; afterwards everything that was
acknowledged is looked up in the database. CPU is that of the collector's process alone, all its threads.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))


# ---- one scenario ------------------------------------------------------------------------------


def rss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0


class Scene:
    def __init__(self, certificates, *more):
        import collector_process
        self.certificates = certificates
        options = [*more]
        if certificates:
            options += ["--tls-cert", f"{certificates}/server.pem", "--tls-key", f"{certificates}/server.key",
                       "--tls-ca", f"{certificates}/ca.pem"]
        self.collector = collector_process.Collector(options=options)

    def __enter__(self):
        self.collector.start()
        return self

    def __exit__(self, *_):
        self.collector.remove()

    def fleet(self, **options):
        """The swarm's figures, those of the collector behind it, and the verdict on what is stored."""
        import swarm
        pid = self.collector.child.pid
        before = rss_mb(pid)
        if self.certificates:
            options.update(tls_ca=f"{self.certificates}/ca.pem", tls_cert=f"{self.certificates}/client.pem",
                           tls_key=f"{self.certificates}/client.key")
        with tempfile.TemporaryDirectory() as folder:
            with swarm.Swarm(folder, [self.collector.address], watch=pid, **options) as fleet:
                figures = fleet.result()
            time.sleep(15)
            figures["rss_before_mb"], figures["rss_after_mb"] = before, rss_mb(pid)
            verdict = swarm.judge(fleet.ledger, swarm.dsn_of(self.collector.folder / "data"))
        figures["faults"] = verdict.lost + verdict.doubled + verdict.wrong + \
            figures["refused"] + abs(verdict.acknowledged - figures["acknowledged"])
        return figures


# ---- the scenarios: figures in, rows (what, limit, unit, measured) out --------------------------


def own_connections(scene, agents):
    """How many connections so many agents get. gRPC 1.51 reads the keys anew for each TLS channel of a
    client, which takes the swarm, on the same cores, ten times what it takes the collector: five agents
    share one."""
    return agents // 5 if scene.certificates else agents


def at_a_time(scene):
    """How many agents the fleet, one process, connects at once: with TLS more than it can carry would run
    into their time limits and begin again, over and over."""
    return 256 if scene.certificates else 0


def sustained(scene, agents):
    """Every container has an agent of its own, which sends once a minute."""
    figures = scene.fleet(agents=agents, interval="60s", duration="60s", ramp="20s", services=200,
                          deploy_every="5s", patience="5m", connections=own_connections(scene, agents),
                          connecting=at_a_time(scene))
    yield f"{agents:,} containers at 60 s: CPU of one core", 15, "%", figures["collector_share"]
    yield "  connections", None, "", figures["connections"]
    yield from faults(figures)


def streams(scene, agents):
    """Half as many, idle but for one snapshot each: what a stream holds."""
    figures = scene.fleet(agents=agents // 2, interval="60s", duration="10s", ramp="20s", patience="10m",
                          connecting=at_a_time(scene))
    yield f"{agents // 2:,} streams: resident memory", 1000, "MB", figures["collector_rss_mb"]
    yield "  of that a stream", None, "KB", \
        (figures["collector_rss_mb"] - figures["rss_before_mb"]) * 1000 / (agents // 2)
    yield "  what is kept when all have left, over the start", 100, "MB", \
        figures["rss_after_mb"] - figures["rss_before_mb"]
    yield from faults(figures)


def reconnect(scene, agents):
    """All connections are cut in one moment, and all agents come back within a second."""
    figures = scene.fleet(agents=agents, interval="60s", duration="5s", ramp="20s", reconnect_after="1s",
                          retry="1s", patience="5m", connections=own_connections(scene, agents),
                          connecting=at_a_time(scene))
    yield f"{agents:,} agents cut and back at once: until all were served", 60, "s", figures["unserved_s"]
    yield "  CPU of the collector for that", None, "s", figures["collector_cpu_s"]
    yield "  CPU of the swarm meanwhile", None, "s", figures["run_cpu_s"]
    yield "  connections", None, "", figures["connections"]
    yield "  attempts that came to nothing", None, "", figures["disconnects"] - agents
    yield from faults(figures)


def speed(scene, agents):
    """As fast as it goes, over a tenth as many connections as streams."""
    streams_count = max(10, agents // 50)
    figures = scene.fleet(agents=streams_count, connections=streams_count // 10, interval=0, duration="10s")
    yield "as fast as it goes: CPU a sample", 30, "ns", figures["collector_ns_per_sample"]
    yield "  a snapshot of 300 types", None, "us", figures["collector_us_per_snapshot"]
    yield "  samples a second", None, "M", figures["sample_rate"] / 1e6
    yield "  bytes a sample on the wire (TCP payload)", 0.8, "B", figures["wire_bytes_per_sample"]
    yield "  latency to the acknowledgement, median", None, "ms", figures["p50_ms"]
    yield "  99 % below", None, "ms", figures["p99_ms"]
    yield "  the swarm's own CPU a snapshot", None, "us", figures["cpu_us_per_snapshot"]
    yield from faults(figures)


def wire(scene, agents):
    """One snapshot a message, each acknowledged before the next, as with agents that send once a minute."""
    figures = scene.fleet(agents=max(10, agents // 50), interval="2s", duration="60s", restarts=0)
    yield "one snapshot at a time: bytes a sample on the wire", 0.8, "B", figures["wire_bytes_per_sample"]
    yield "  messages alone", None, "B", figures["message_bytes_per_sample"]
    yield "  snapshot bodies alone", None, "B", figures["body_bytes_per_sample"]
    yield "  latency to the acknowledgement, median", None, "ms", figures["p50_ms"]
    yield "  99 % below", None, "ms", figures["p99_ms"]
    yield from faults(figures)


def many(scene, agents):
    """Ten times as many containers, fifty behind one agent, a snapshot every ten minutes."""
    figures = scene.fleet(agents=agents // 5, processes=50, interval="10m", duration="60s", ramp="30s",
                          services=500, patience="10m")
    yield f"{agents * 10:,} containers of {agents // 5:,} agents: CPU of one core", None, "%", \
        figures["collector_share"]
    yield "  until all agents were served", None, "s", figures["connect_s"]
    yield "  CPU of the collector for that", None, "s", figures["collector_connect_cpu_s"]
    yield "  resident memory", None, "MB", figures["collector_rss_mb"]
    yield "  of that a container", None, "KB", \
        (figures["collector_rss_mb"] - figures["rss_before_mb"]) * 1000 / (agents * 10)
    yield from faults(figures)


many.options = ["--max-heap-memory", "4G"]


def faults(figures):
    yield "  acknowledged snapshots", None, "", figures["acknowledged"]
    yield "  lost, doubled, different or refused", 0, "", figures["faults"]


SCENARIOS = (sustained, streams, reconnect, speed, wire)
LONG = (many,)  # only when asked for


# ---- telling -----------------------------------------------------------------------------------


def form(value):
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"


def print_row(what, limit, unit, measured):
    bound = "" if limit is None else f"{form(limit)} {unit}"
    verdict = "" if limit is None else "met" if measured <= limit else "NOT MET"
    print(f"{what:64}{form(measured):>12} {unit:3}{bound:>10}  {verdict}".rstrip())
    sys.stdout.flush()


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def has_tls(bin_dir):
    done = subprocess.run([bin_dir / "heapfleet-collector", "serve", "--help"], capture_output=True, text=True)
    return "--tls-cert" in done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--plaintext", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[one.__name__ for one in SCENARIOS + LONG])
    parser.add_argument("--agents", type=int, default=10_000)
    arguments = parser.parse_args()
    os.environ["HEAPFLEET_BIN"] = str(arguments.bin)
    tls = not arguments.plaintext and has_tls(arguments.bin)
    with tempfile.TemporaryDirectory() as folder:
        certificates = folder if tls else None
        if tls:
            subprocess.run(["sh", ROOT / "tests" / "support" / "make_certificates.sh", folder], check=True)
        print(f"commit {commit()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
              f"{'mutual TLS' if tls else 'plaintext'}\n")
        print(f"{'':64}{'measured':>12}{'at most':>14}")
        wanted = arguments.only or [one.__name__ for one in SCENARIOS]
        for scenario in SCENARIOS + LONG:
            if scenario.__name__ not in wanted:
                continue
            with Scene(certificates, *getattr(scenario, "options", ())) as scene:
                for row in scenario(scene, arguments.agents):
                    print_row(*row)


if __name__ == "__main__":
    main()
