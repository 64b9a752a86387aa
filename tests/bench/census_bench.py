#!/usr/bin/env python3
"""What a census costs, beside what people use today: one heap, one machine, one run, one table.

usage: census_bench.py --bin DIR [--quick] [--objects N ...] [--python PATH]

Each tool gets a fresh process with the service-like heap of tests/targets/service_heap.py. Tools inside
the process run in a thread of it, as a debug endpoint would. CPU is that of the tool alone; "gap" is the
longest time that the application could not serve; "added" the growth of its resident memory at the peak.
What runs outside is the fastest of five runs, what runs inside is run once.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import pythons  # noqa: E402

PEERS = ("pympler", "guppy3", "objgraph", "numpy")  # numpy: for the tests of its arrays
PLACE = ROOT / "build" / "bench"
ROUNDS = 5
GAP_WINDOW_S = 3.0

IN_PROCESS = (  # (row, tool of tests/targets/peers.py, what must be installed)
    ("Pympler muppy + summarize", "muppy", "pympler"),
    ("Pympler SummaryTracker, one diff", "summarytracker", "pympler"),
    ("guppy3 heap() by type", "guppy", "guppy3"),
    ("objgraph typestats (no sizes)", "objgraph_typestats", "objgraph"),
    ("gc + sys.getsizeof (containers only)", "gc_sizeof", None),
)


# ---- what is measured with ---------------------------------------------------------------------


def peers_python(wanted):
    """An environment of our own with the peers in it: (its interpreter, {missing: why})."""
    environment = PLACE / "peers"
    interpreter = environment / "bin" / "python3"
    candidates = [wanted] if wanted else [
        python.path for minor in (11, 12, 13, 10, 9, 8) for python in pythons.all_pythons()
        if python.minor == minor and not python.root and environment not in
        pathlib.Path(python.path).parents]
    PLACE.mkdir(parents=True, exist_ok=True)
    for candidate in candidates:
        if interpreter.exists() or subprocess.run(
                [candidate, "-m", "venv", str(environment)], capture_output=True).returncode == 0:
            break
    if not interpreter.exists():
        return candidates[0], {peer: "no virtual environment can be made" for peer in PEERS}
    missing = {}
    for peer in PEERS:
        module = {"guppy3": "guppy"}.get(peer, peer)
        if subprocess.run([interpreter, "-c", f"import {module}"], capture_output=True).returncode == 0:
            continue
        done = subprocess.run([interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                               peer], capture_output=True, text=True)
        if done.returncode:
            missing[peer] = "could not be installed"
    return str(interpreter), missing


def limit_program():
    program = PLACE / "readv_limit"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", program,
                    ROOT / "tests" / "bench" / "readv_limit.c"], check=True)
    return program


class Service:
    def __init__(self, python, objects):
        self.process = subprocess.Popen(
            [python, "-B", ROOT / "tests" / "targets" / "service_heap.py", str(objects)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self.reply()
        self.pid = self.ready["pid"]

    def reply(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, do, **rest):
        self.process.stdin.write(json.dumps(dict(rest, do=do)) + "\n")
        self.process.stdin.flush()
        return self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


# ---- measuring ---------------------------------------------------------------------------------


def row(name, **values):
    return dict({"name": name, "cpu": None, "wall": None, "gap": None, "added": None, "objects": None,
                 "note": ""}, **values)


def window(service, work):
    """(longest gap, memory added) of the service while `work` is done again and again."""
    start = service.ask("window_start")["rss"]
    until = time.monotonic() + GAP_WINDOW_S
    while time.monotonic() < until:
        work()
    end = service.ask("window_end")
    return end["pause"]["max_gap_s"], (end["rss"]["VmHWM"] - start["VmRSS"]) / 1024


def agent_once(agent, pid):
    """(document, CPU seconds, wall seconds) of the whole program."""
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen([agent, "census", str(pid), "-o", "json"], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        if status:
            raise SystemExit(f"census_bench: the census ended with {os.waitstatus_to_exitcode(status)}")
        out.seek(0)
        return json.load(out), usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def agent_again(agent, pid):
    """(CPU seconds, wall seconds) of the cheapest census that is not its process's first."""
    out = subprocess.run([agent, "track", str(pid), "--every", "100ms", "--count", str(ROUNDS), "-o", "json"],
                         capture_output=True, text=True, check=True).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    return min(line["cpu_ms"] for line in lines) / 1e3, min(line["elapsed_ms"] for line in lines) / 1e3


def outside(python, objects, agent, limit):
    """Rows of what runs outside: nothing, the limit, ours."""
    with Service(python, objects) as service:
        gap, added = window(service, lambda: time.sleep(0.1))
        yield row("idle", gap=gap, added=added)
        out = subprocess.run([limit, str(service.pid), str(ROUNDS)], capture_output=True, text=True,
                             check=True).stdout.split()
        size, cpu, wall = int(out[0]), float(out[1]), float(out[2])
        yield row("limit: process_vm_readv", cpu=cpu, wall=wall, note=f"{size / cpu / 1e9:.1f} GB/s", bytes=size)
        runs = [agent_once(agent, service.pid) for _ in range(ROUNDS)]
        gap, added = window(service, lambda: agent_once(agent, service.pid))
        cpu = min(run[0]["cpu_ms"] for run in runs) / 1e3
        yield row("heapfleet: the first census", cpu=cpu,
                  wall=min(run[0]["elapsed_ms"] for run in runs) / 1e3, gap=gap, added=added,
                  objects=runs[-1][0]["objects"], note=f"{size / cpu / 1e9:.1f} GB/s")
        again = agent_again(agent, service.pid)
        yield row("heapfleet: the next one", cpu=again[0], wall=again[1],
                  objects=runs[-1][0]["objects"], note=f"{size / again[0] / 1e9:.1f} GB/s, types are known")
        yield row("heapfleet-agent census PID", cpu=min(run[1] for run in runs),
                  wall=min(run[2] for run in runs), gap=gap, added=added,
                  objects=runs[-1][0]["objects"],
                  note=f"with start and exit; {max(run[3] for run in runs):.0f} MB of its own")


def inside(python, objects, missing):
    for name, tool, package in IN_PROCESS:
        if package in missing:
            yield row(name, note=missing[package])
            continue
        with Service(python, objects) as service:
            done = service.ask("run", tool=tool, where="thread")
            result = done["result"]
            if "error" in result:
                yield row(name, note=result["error"])
                continue
            share = 1
            if tool == "summarytracker":  # a summary to begin with, then two diffs
                share = result["split"]["diff1"] / sum(result["split"].values())
            yield row(name, cpu=done["cpu_s"] * share, wall=done["wall_s"] * share,
                      gap=done["pause"]["max_gap_s"], added=done["peak_extra_kb"] / 1024,
                      objects=result["n"])


# ---- telling -----------------------------------------------------------------------------------


def cell(value, form):
    return "" if value is None else form.format(value)


def print_table(objects, rows):
    base = next(one["cpu"] for one in rows if one["name"].startswith("heapfleet: "))
    print(f"\n{objects:,} objects")
    print(f"{'':38}{'CPU s':>9}{'wall s':>9}{'CPU ratio':>11}{'gap ms':>9}{'added MB':>10}{'objects':>12}")
    for one in rows:
        ratio = one["cpu"] / base if one["cpu"] is not None else None
        gap = one["gap"] * 1e3 if one["gap"] is not None else None
        print(f"{one['name']:38}{cell(one['cpu'], '{:.4f}'):>9}{cell(one['wall'], '{:.4f}'):>9}"
              f"{cell(ratio, '{:.2f}x'):>11}{cell(gap, '{:.1f}'):>9}{cell(one['added'], '{:.1f}'):>10}"
              f"{cell(one['objects'], '{:,}'):>12}  {one['note']}")
    sys.stdout.flush()


def goals(tables):
    """Each goal, and whether this run met it."""
    def of(objects, name):
        return next((one for one in tables[objects] if one["name"].startswith(name)), row(name))

    main = 1_000_000 if 1_000_000 in tables else min(tables)
    ours, limit, idle = (of(main, name) for name in ("heapfleet: ", "limit", "idle"))
    seconds = 0.06 * main / 1_000_000
    yield ours["cpu"] <= seconds, f"at most {seconds:.3f} s CPU: {ours['cpu']:.4f} s"
    for name, times in (("Pympler muppy", 50), ("guppy3", 20)):
        peer = of(main, name)
        if peer["cpu"] is not None:
            ratio = peer["cpu"] / ours["cpu"]
            yield ratio >= times, f"at least {times}x less than {name}: {ratio:.0f}x"
    share = limit["cpu"] / ours["cpu"]
    yield share >= 0.4, f"at least 40 % of the limit's rate: {share * 100:.0f} %"
    yield ours["gap"] <= idle["gap"] * 1.5 + 0.002, \
        f"the longest gap as when idle: {ours['gap'] * 1e3:.1f} ms, idle {idle['gap'] * 1e3:.1f} ms"
    if max(tables) > main:
        times = of(max(tables), "heapfleet: ")["cpu"] / ours["cpu"]
        yield times <= 1.15 * max(tables) / main, \
            f"linear up to {max(tables):,}: {times:.1f}x the CPU for {max(tables) / main:.0f}x the objects"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--quick", action="store_true", help="100,000 objects only")
    parser.add_argument("--objects", type=int, action="append")
    parser.add_argument("--python")
    arguments = parser.parse_args()
    python, missing = peers_python(arguments.python)
    limit = limit_program()
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{version}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    tables = {}
    for objects in arguments.objects or ([100_000] if arguments.quick else [100_000, 1_000_000, 5_000_000]):
        tables[objects] = [*outside(python, objects, arguments.bin / "heapfleet-agent", limit),
                           *inside(python, objects, missing)]
        print_table(objects, tables[objects])
    print("\ngoals")
    for met, words in goals(tables):
        print(f"  {'met     ' if met else 'not met '} {words}")


if __name__ == "__main__":
    main()
