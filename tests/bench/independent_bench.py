#!/usr/bin/python3
"""Judges the detector on services that are simulated from their causes.

The other bench draws curves; this one has no curve in it. A service gets requests (a rhythm of days and
weeks, noise, bursts, incidents), is deployed, recycled, evicted, scaled and killed at its memory limit, and
holds populations of objects that follow from what such code does: a bounded LRU over keys of Zipf popularity,
sessions that expire, a queue that backs up, cycles that wait for the collector. Type counts are what these
hold together: each instance brings its dict, its strings, and the table that holds it. A leak is one more of
these populations. It was written without a look at the detector's code, and no threshold of the detector may
be chosen by it.

  independent_bench.py --bin build/release/bin [--per 8] [--seed 1] [--only NAME] [--results FILE]
  independent_bench.py --dump NAME:SEED             the replay file of one service, on stdout
  independent_bench.py --truth NAME:SEED            what is true of it
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys

try:
    import numpy  # noqa: F401
except ImportError:
    sys.exit("independent_bench.py: needs numpy (apt install python3-numpy)")

from independent.processes import DAYS
from independent.scenarios import APART, HEALTHY, LEAKS, SCENARIOS, make
from independent.why import explain, settings


def judge(job):
    """One service through the detector: what is true, and what it said."""
    name, seed, binary, horizon = job
    s, lives = make(name, seed)
    rows = s.rows(lives)
    replay = subprocess.Popen(
        [os.path.join(binary, "heapfleet-collector"), "replay", "--tiers", "--horizon", horizon, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = replay.communicate("".join(text for _, text in rows))
    if replay.returncode:
        raise RuntimeError(f"replay of {name}:{seed} ended with {replay.returncode}")
    return dict(
        name=name,
        seed=seed,
        truth=s.truth,
        about=s.about,
        rows=sum(t.count("\n") for _, t in rows),
        said=[json.loads(line) for line in out.splitlines()],
    )


# ---- scores ---------------------------------------------------------------------------------------


def told(result):
    """What one service's findings come to."""
    truth = result["truth"]
    said = [x for x in result["said"] if x["severity"] in ("confirmed", "suspect")]
    found = [x for x in said if x["severity"] == "confirmed" or x["rule"] == "C"]
    out = dict(
        name=result["name"],
        seed=result["seed"],
        leaky=bool(truth),
        false=[],
        companions=[],
        delay=None,
        oom=False,
        first={},
        right=None,
        kind=None,
        fixed=None,
        suspects=0,
        watches=len({x["type"] for x in result["said"] if x["severity"] == "watch"}),
    )
    types = set(truth.get("types", ()))
    seen = set()
    for x in found:
        if x["type"] in seen:
            continue
        seen.add(x["type"])
        if x["type"] in types and x["time"] >= truth["onset"]:
            if out["delay"] is None:
                out["delay"] = (x["time"] - truth["onset"]) / 3600
                out["finding"] = x
                first = truth["first"]
                out["right"] = x["introduced_in"] == f"v{first + 1}" and (x["or_earlier"] or first > 0)
                out["kind"] = (
                    x["kind"] == dict(buffer="buffer", native="native").get(truth["kind"], "objects")
                    or truth["kind"] == "creep"
                )
        elif truth and x["type"] in truth["brings"] and x["time"] >= truth["onset"]:
            out["companions"].append(x)
        else:
            out["false"].append(x)
    suspect = [x for x in result["said"] if x["severity"] == "suspect" and x["rule"] != "C"]
    out["suspects"] = len({x["type"] for x in suspect} - types - set(truth.get("brings", ())))
    if truth.get("oom"):
        out["oom"] = True
        by = lambda xs: any(x["type"] in types and truth["onset"] <= x["time"] <= truth["oom"] for x in xs)
        out["first"] = dict(confirmed=by(found), suspect=by(found + suspect))
    if truth and truth["fixed"] < 999:
        out["fixed"] = any(
            x["type"] in types and (x.get("fixed_in") == f"v{truth['fixed'] + 1}") for x in result["said"]
        )
    return out


def share(part, whole):
    return f"{part}/{whole}" if whole else "-"


def line(name, rows):
    leaky = [x for x in rows if x["leaky"]]
    hit = [x for x in leaky if x["delay"] is not None]
    false, comp = sum(len(x["false"]) for x in rows), sum(len(x["companions"]) for x in rows)
    delays = sorted(x["delay"] for x in hit)
    at = lambda q: f"{delays[min(len(delays) - 1, int(q * len(delays)))]:.0f}" if delays else "-"
    ooms = [x for x in leaky if x["oom"]]
    return [
        name,
        str(len(rows)),
        share(len(hit), len(leaky)),
        str(false),
        str(sum(bool(x["false"]) for x in rows)),
        str(comp),
        at(0.5),
        at(0.9),
        share(sum(x["right"] for x in hit), len(hit)),
        share(sum(x["kind"] for x in hit), len(hit)),
        share(sum(x["first"]["confirmed"] for x in ooms), len(ooms)),
        share(sum(x["first"]["suspect"] for x in ooms), len(ooms)),
        f"{sum(x['suspects'] for x in rows) / len(rows):.1f}",
        f"{sum(x['watches'] for x in rows) / len(rows):.1f}",
    ]


HEADS = [
    "scenario",
    "services",
    "found",
    "false flags",
    "in services",
    "companions",
    "delay h p50",
    "p90",
    "version",
    "kind",
    "before OOM",
    "or suspect",
    "suspects each",
    "watched each",
]


def report(results):
    rows = [told(x) for x in results]
    table = [HEADS]
    for group in (HEALTHY, LEAKS, APART):
        for name in group:
            mine = [x for x in rows if x["name"] == name]
            if mine:
                table.append(line(name, mine))
    for name, group in (("all healthy", HEALTHY), ("all leaks", LEAKS)):
        mine = [x for x in rows if x["name"] in group]
        if mine:
            table.append(line(name, mine))
    for row in table:
        print("| " + " | ".join(row) + " |")
        if row is HEADS:
            print("| --- " + "| ---: " * (len(row) - 1) + "|")
    healthy, leaks = [x for x in rows if x["name"] in HEALTHY], [x for x in rows if x["name"] in LEAKS]
    if not healthy or not leaks:
        return
    hit = [x for x in leaks if x["delay"] is not None]
    right = len(hit)
    false = sum(len(x["false"]) + len(x["companions"]) for x in healthy + leaks)
    recall, bad = len(hit) / len(leaks), sum(bool(x["false"]) for x in healthy) / len(healthy)
    weeks = len(healthy) * DAYS / 7
    print(f"\n{len(healthy)} healthy and {len(leaks)} leaking services, {DAYS} days each")
    print(
        f"precision, one right flag a leaking service: {right / max(1, right + false):.3f}; without companions: "
        f"{right / max(1, right + sum(len(x['false']) for x in healthy + leaks)):.3f}"
    )
    print(
        f"recall {recall:.3f}; healthy services flagged {100 * bad:.1f} %, {sum(len(x['false']) for x in healthy) / weeks:.3f} false flags a service and week"
    )
    for p in (0.02, 0.05, 0.1):
        print(
            f"precision of a flagged service where {100 * p:.0f} % leak: {p * recall / max(1e-9, p * recall + (1 - p) * bad):.2f}"
        )
    fixed = [x["fixed"] for x in leaks if x["fixed"] is not None and x["delay"] is not None]
    if fixed:
        print(f"told as fixed in the right version: {sum(fixed)} of {len(fixed)}")


def main():
    ask = argparse.ArgumentParser(description="judges the detector on services simulated from their causes")
    ask.add_argument("--bin", default="build/release/bin")
    ask.add_argument("--per", type=int, default=8, help="services a scenario (default 8)")
    ask.add_argument("--seed", type=int, default=1, help="of the first service of each scenario (default 1)")
    ask.add_argument("--only", action="append", help="this scenario; may be repeated")
    ask.add_argument("--horizon", default="30h")
    ask.add_argument("--jobs", type=int, default=1)
    ask.add_argument("--results", help="keep what was said of each service here, a line of JSON each")
    ask.add_argument("--dump", help="NAME:SEED: print the replay file of this service")
    ask.add_argument("--truth", help="NAME:SEED: print what is true of this service")
    ask.add_argument("--why", action="store_true", help="say of each false flag and miss what it looked like")
    args = ask.parse_args()
    if args.dump or args.truth:
        name, seed = (args.dump or args.truth).split(":")
        s, lives = make(name, int(seed))
        if args.truth:
            holds = [f"{h.cls}: {settings(h)}" for h in s.holds]
            print(json.dumps(dict(truth=s.truth, about=s.about, holds=holds), indent=1))
        else:
            sys.stdout.writelines(text for _, text in s.rows(lives))
        return
    jobs = [
        (name, seed, args.bin, args.horizon)
        for seed in range(args.seed, args.seed + args.per)
        for name in args.only or SCENARIOS
    ]
    results = []
    keep = open(args.results, "w") if args.results else None
    with multiprocessing.Pool(args.jobs) as pool_of:
        for done in pool_of.imap_unordered(judge, jobs):
            results.append(done)
            if keep:
                print(json.dumps(done), file=keep, flush=True)
    report(results)
    if args.why:
        for result in sorted(results, key=lambda x: (x["name"], x["seed"])):
            explain(result, told(result))


if __name__ == "__main__":
    main()
