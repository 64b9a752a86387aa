#!/usr/bin/env python3
"""What history costs: one made-up fleet in Heapfleet and in Prometheus, one machine, one run, one table.

usage: storage_bench.py --bin DIR [--quick] [--full] [--scale-only]

A sample is count and bytes of one type in one snapshot of one process: two numbers, and two series in
Prometheus. The fleet is fleet_load.c's: 300 types a process, 12.8 % of them change between two snapshots,
ten containers a service, a snapshot a minute, times of their own. Heapfleet's CPU is that of every process
of its PostgreSQL, and of the collector's decoding, writing and upkeep; gRPC is not in it. Disk is the whole
database: indexes, rollups, dimensions. Queries are warm medians, asked in process; Prometheus' over HTTP on
loopback.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import prometheus_peer  # noqa: E402

PLACE = ROOT / "build" / "bench"
ROUNDS = 7
DAY = 1440  # snapshots

# name, containers, snapshots of each, snapshots between two deployments, in Prometheus too
FLEETS = {
    "quick": (("10 x 4 h", 10, 240, 120, True),),
    "normal": (("10 x 24 h", 10, DAY, DAY // 2, True),
               ("100 x 24 h", 100, DAY, DAY // 2, False),
               ("10 x 28 days", 10, 28 * DAY, 2 * DAY, False)),
    "full": (("40 x 24 h", 40, DAY, DAY // 2, True),
             ("100 x 24 h", 100, DAY, DAY // 2, False),
             ("1,000 x 24 h", 1000, DAY, DAY // 2, False),
             ("20 x 28 days", 20, 28 * DAY, 2 * DAY, False)),
}
SCALE = {"quick": (100, 1000), "normal": (1000, 10_000), "full": (1000, 10_000, 100_000)}
SCALE_STEPS = 6

GOALS_A_SAMPLE = (("disk", 0.5, "B of disk"), ("wal", 1.6, "B of WAL"),
                  ("database_ns", 25, "ns of database CPU"))
QUESTIONS = (("day_by_minute", 30, "a type of a service, 24 h by minute"),
             ("month_by_hour", 3, "a type of a service, 28 days by hour"),
             ("top_growth", 15, "top growth over 7 days, or its life"),
             ("compare", 20, "two deployments at equal uptime"),
             ("services", 1, "list of services"))


# ---- measuring ---------------------------------------------------------------------------------


def shape_arguments(containers, steps, life):
    return ["--containers", str(containers), "--steps", str(steps), "--life", str(life)]


@contextlib.contextmanager
def folder():
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE) as path:
        os.chmod(path, 0o711)
        yield path


def heapfleet(loader, containers, steps, life, ask):
    with folder() as path:
        began = time.monotonic()
        out = subprocess.run([loader, "heapfleet", "--dir", path,
                              *shape_arguments(containers, steps, life), *(["--ask"] if ask else [])],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
        one = json.loads(out)
    samples = one["samples"]
    collector_s = one["write_cpu_s"] + one["upkeep_cpu_s"] + one["open_cpu_s"]
    return dict(one, disk=one["disk_bytes"] / samples, wal=one["wal_bytes"] / samples,
                database_ns=one["database_cpu_s"] / samples * 1e9,
                collector_ns=collector_s / samples * 1e9, wall_s=time.monotonic() - began)


def median_ms(work):
    for _ in range(2):
        work()
    return statistics.median(work() for _ in range(ROUNDS))


def prometheus_questions(server, steps, life):
    now = time.time() // 3600 * 3600
    start = now - steps * 60
    both = '{__name__=~"heap_objects|heap_bytes", service="service-0"'
    versions = steps // life
    boundary = start + (versions - 1) * life * 60  # where the newest version began
    uptime = (now - boundary) - 120
    span = min(steps // 60, 7 * 24) // 2

    def at(version, when):
        return f'avg by (type) (heap_bytes{{service="service-0", version="v{version}"}} @ {when:.0f})'

    yield "services", median_ms(lambda: server.query_ms(
        "query", query="sum by (service) (heap_bytes)", time=now))
    if steps >= DAY:
        yield "day_by_minute", median_ms(lambda: server.query_ms(
            "query_range", query=f'sum by (__name__) ({both}, type="library0.Type0"}})', start=now - 86400,
            end=now, step=60))
    yield "top_growth", median_ms(lambda: server.query_ms(
        "query", time=now, query=f'topk(20, sum by (type) (delta(heap_bytes{{service="service-0"}}[{span}h])))'))
    yield "compare", median_ms(lambda: server.query_ms(
        "query", time=now, query=f"topk(20, {at(versions, boundary + uptime)} - "
                                 f"{at(versions - 1, boundary - life * 60 + uptime)})"))


def prometheus(loader, binary, samples, containers, steps, life):
    with folder() as path, prometheus_peer.Prometheus(binary, path) as server:
        began = time.monotonic()
        with subprocess.Popen([loader, "remote-write", *shape_arguments(containers, steps, life)],
                              stdout=subprocess.PIPE) as source:
            server.write_all(source.stdout)
        disk = server.disk_bytes()
        return {"samples": samples, "disk": disk / samples, "wal": server.wal_bytes() / samples,
                "database_ns": server.cpu_s() / samples * 1e9, "collector_ns": None,
                "questions": dict(prometheus_questions(server, steps, life)),
                "wall_s": time.monotonic() - began}


# ---- telling -----------------------------------------------------------------------------------


def cell(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def print_table(columns):
    rows = [("samples, millions", lambda one: cell(one["samples"] / 1e6, "{:.1f}")),
            ("disk B/sample, all in", lambda one: cell(one["disk"], "{:.3f}")),
            ("WAL B/sample", lambda one: cell(one["wal"], "{:.3f}")),
            ("database CPU ns/sample", lambda one: cell(one["database_ns"], "{:.1f}")),
            ("collector CPU ns/sample", lambda one: cell(one["collector_ns"], "{:.1f}")),
            *((f"{words}, ms", lambda one, name=name: cell(one["questions"].get(name)))
              for name, _, words in QUESTIONS),
            ("the load took, s", lambda one: cell(one["wall_s"], "{:.0f}"))]
    print(f"{'':44}" + "".join(f"{name:>26}" for name in columns))
    for title, value in rows:
        print(f"{title:44}" + "".join(f"{value(one):>26}" for one in columns.values()))


def print_relations(name, one):
    parts = sorted(one["relations"].items(), key=lambda item: -item[1])[:6]
    print(f"\n{name}, B/sample: " + ", ".join(
        f"{relation} {size / one['samples']:.3f}" for relation, size in parts)
        + f"; bodies as sent {one['body_bytes'] / one['samples']:.3f}")


def print_scale(rows):
    print(f"\nscale: {SCALE_STEPS} snapshots of each container\n")
    print(f"{'containers':>12}{'samples, M':>12}{'disk B':>10}{'WAL B':>10}{'database ns':>13}{'collector ns':>14}"
          f"{'us to open a process':>22}{'wall s':>8}")
    for one in rows:
        opening = (one["open_cpu_s"] + one["database_first_cpu_s"]) / one["processes"] * 1e6
        print(f"{one['containers']:>12,}{one['samples'] / 1e6:>12.1f}{one['disk']:>10.2f}{one['wal']:>10.2f}"
              f"{one['database_ns']:>13.1f}{one['collector_ns']:>14.1f}{opening:>22.0f}{one['wall_s']:>8.0f}")


def goals(columns, scale):
    """Each goal, and whether this run met it."""
    for name, one in columns.items():
        if name.startswith("Heapfleet") and one["containers"] >= 100:
            for key, most, words in GOALS_A_SAMPLE:
                yield one[key] <= most, f"{name}: at most {most} {words} a sample: {one[key]:.2f}"
    for key, most, words in QUESTIONS:
        found = [(name, one["questions"][key]) for name, one in columns.items()
                 if name.startswith("Heapfleet") and key in one["questions"]]
        for name, took in found:
            yield took <= most, f"{name}: {words} in {most} ms: {took:.2f}"
    if len(scale) > 1:
        first, last = scale[0], scale[-1]
        ratio = last["database_ns"] / first["database_ns"]
        yield ratio <= 1.25, (f"linear to {last['containers']:,} containers: "
                              f"{ratio:.2f}x the database CPU a sample of {first['containers']:,}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="seconds: 10 containers for 4 hours")
    size.add_argument("--full", action="store_true", help="40 containers for a day in Prometheus too")
    parser.add_argument("--no-peer", action="store_true", help="without Prometheus")
    parser.add_argument("--scale-only", action="store_true", help="only the growth with the fleet")
    arguments = parser.parse_args()
    mode = "quick" if arguments.quick else "full" if arguments.full else "normal"
    loader = arguments.bin.parent / "tests" / "storage_load"
    if not loader.exists():
        raise SystemExit(f"storage_bench: {loader} is not built: it needs libsnappy-dev")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True,
                            text=True).stdout.strip() or "unknown"
    binary, missing = (None, "not asked for") if arguments.no_peer else prometheus_peer.program(PLACE)
    print(f"commit {commit}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
          + (f"; no Prometheus: {missing}" if binary is None else "") + "\n", flush=True)
    columns = {}
    for name, containers, steps, life, both in () if arguments.scale_only else FLEETS[mode]:
        columns[f"Heapfleet {name}"] = ours = heapfleet(loader, containers, steps, life, True)
        if both and binary is not None:
            columns[f"Prometheus {name}"] = prometheus(loader, binary, ours["samples"], containers, steps, life)
    if columns:
        print_table(columns)
        for name, one in columns.items():
            if "relations" in one:
                print_relations(name, one)
    scale = [heapfleet(loader, containers, SCALE_STEPS, 0, False) for containers in SCALE[mode]]
    print_scale(scale)
    print("\ngoals")
    for met, words in goals(columns, scale):
        print(f"  {'met     ' if met else 'not met '} {words}")


if __name__ == "__main__":
    main()
