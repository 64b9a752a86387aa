#!/usr/bin/env python3
"""
./dev bench detect: the detector and three usual ways, on simulated services, in one table.

Time is simulated: ten days of each service, seeds given. Seeds below 1000 were used to choose
thresholds; a headline is made of seeds from 1000 on.

    ./dev bench detect [--seeds 20] [--from 1000] [--no-rivals] [--stress few|load|faint|damage] [--scenarios]
"""
import argparse
import collections
import concurrent.futures
import csv
import io
import os
import pathlib
import subprocess

NAMES = {"ols": "OLS, 6 h, R2 > 0.95", "mk": "Mann-Kendall + Theil-Sen, 24 h", "pivot": "bucket pivot, 12 h",
         "heapfleet": "heapfleet"}
DAYS = 10

Row = collections.namedtuple(
    "Row", "detector scenario kind seed found false_flags delay dated cpu_ms series bytes")


def run(program, first, count, rivals, stress):
    command = [program, str(first), str(count)]
    command += ["--rivals"] if rivals else []
    command += ["--stress", stress] if stress else []
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [Row(r[0], r[1], r[2], int(r[3]), int(r[4]), int(r[5]), float(r[6]), int(r[7]), float(r[8]),
                int(r[9]), int(r[10])) for r in csv.reader(io.StringIO(output))]


def ratio(part, whole):
    return part / whole if whole else float("nan")


def quantile(values, q):
    values = sorted(values)
    return values[min(int(q * len(values)), len(values) - 1)] if values else float("nan")


def at_prevalence(prevalence, recall, false_share):
    return ratio(prevalence * recall, prevalence * recall + (1 - prevalence) * false_share)


def print_table(rows):
    print(f"{'detector':32} {'precision':>9} {'by service':>10} {'recall':>6} {'healthy flagged':>15} "
          f"{'false/week':>10} {'p50 h':>6} {'p90 h':>6} {'at 2 %':>6} {'5 %':>5} {'10 %':>5} {'dated':>6}")
    for detector in NAMES:
        mine = [r for r in rows if r.detector == detector and r.kind != "apart"]
        if not mine:
            continue
        leaks = [r for r in mine if r.kind == "leak"]
        healthy = [r for r in mine if r.kind == "healthy"]
        found = sum(r.found for r in leaks)
        flags = sum(r.false_flags for r in mine)
        recall = ratio(found, len(leaks))
        false_share = ratio(sum(r.false_flags > 0 for r in healthy), len(healthy))
        flagged_leaks = sum(r.found or r.false_flags > 0 for r in leaks)
        by_service = ratio(flagged_leaks, flagged_leaks + sum(r.false_flags > 0 for r in healthy))
        delays = [r.delay for r in leaks if r.found]
        dated = [r.dated for r in leaks if r.dated >= 0 and r.found]
        at = [at_prevalence(p, recall, false_share) for p in (0.02, 0.05, 0.1)]
        print(f"{NAMES[detector]:32} {ratio(found, found + flags):9.3f} {by_service:10.3f} {recall:6.3f} "
              f"{false_share:15.3f} {ratio(flags, len(mine) * DAYS / 7):10.3f} {quantile(delays, 0.5):6.1f} "
              f"{quantile(delays, 0.9):6.1f} {at[0]:6.2f} {at[1]:5.2f} {at[2]:5.2f} "
              + (f"{ratio(sum(dated), len(dated)):6.2f}" if dated and detector == 'heapfleet' else "     -"))


def print_scenarios(rows):
    print(f"\n{'':8} {'scenario':32} {'services':>8} {'found':>6} {'falsely flagged':>15} {'p50 h':>6}")
    by_name = collections.OrderedDict()
    for row in rows:
        if row.detector == "heapfleet":
            by_name.setdefault((row.kind, row.scenario), []).append(row)
    for (kind, name), group in by_name.items():
        delay = quantile([r.delay for r in group if r.found], 0.5)
        print(f"{kind:8} {name:32} {len(group):8} {sum(r.found for r in group):6} "
              f"{sum(r.false_flags > 0 for r in group):15} {delay:6.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=20, help="services a scenario")
    parser.add_argument("--from", type=int, default=1000, dest="first", help="the first seed")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--stress", default="", choices=["", "few", "load", "faint", "damage"])
    parser.add_argument("--scenarios", action="store_true", help="a line a scenario, too")
    options = parser.parse_args()
    program = options.bin.parent / "tests" / "detect_fleet"
    workers = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        parts = pool.map(lambda seed: run(program, seed, 1, not options.no_rivals, options.stress),
                         range(options.first, options.first + options.seeds))
        rows = [row for part in parts for row in part]
    ours = [r for r in rows if r.detector == "heapfleet"]
    print(f"{len(ours)} services, {options.seeds} a scenario, {DAYS} days each; seeds from {options.first}"
          + (f"; stress: {options.stress}" if options.stress else ""))
    print_table(rows)
    apart = [r for r in ours if r.kind == "apart"]
    urgent = [r.delay for r in ours if r.scenario.startswith("killed within") and r.found]
    print(f"\nreported apart: {sum(r.false_flags > 0 for r in apart)} of {len(apart)} services flagged falsely; "
          f"a leak that is killed within a day is found after {quantile(urgent, 0.5):.1f} h (p50)")
    series = sum(r.series for r in ours)
    print(f"cost: {sum(r.bytes for r in ours) / max(series, 1):.0f} bytes a series; "
          f"{1e3 * sum(r.cpu_ms for r in ours) / max(series, 1) / DAYS:.0f} us of CPU a series and day")
    if options.scenarios:
        print_scenarios(rows)


if __name__ == "__main__":
    main()
