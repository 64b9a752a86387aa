#!/usr/bin/env python3
"""Real agents, two collectors and a PostgreSQL under load, while things are killed, stopped, cut and filled.

usage: chaos.py [--rounds N] [--seed S] [--agents N] [--swarm N]

Beside the agents a swarm of virtual ones makes load, with a ledger of its own. Each round breaks one or two things for a while and mends them; then facts must flow again by themselves.
The wire between agents and collectors reads along (ledger.py): what a collector promised must be in the
database, once, with the sums that were sent; and no number of an agent run may be missing, since agents
have a spool on a disk. Ends with 1 if anything is lost, doubled or stuck.

    promised  acknowledged, or named in a Welcome   wrong     stored with other sums than were sent
    lost      promised or sent before, not stored   dangling  a change of what is not stored
    doubled   stored more than once                 holes     numbers of a run that never came
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from agent_process import Agent  # noqa: E402
from collector_process import Collector, new_folder  # noqa: E402
from ledger import Ledger  # noqa: E402
from private_postgres import PrivatePostgres  # noqa: E402
from swarm import Swarm, judge  # noqa: E402
from wire_tap import WireTap  # noqa: E402

ROUND_SECONDS = 3  # roughly
FLOW_SECONDS = 60  # after a round, for the next acknowledgement: an agent pauses for up to 30

TARGET = """
import collections, random, sys, time
class Order: pass
class Line: pass
held = collections.deque(maxlen=3000)
while sys.stdin.closed is False:
    for _ in range(random.randrange(40)):
        held.append(random.choice((Order, Line, dict, list, str))())
    time.sleep(0.02)
"""


class Disk:
    """A small file system of its own, where we may mount one."""

    def __init__(self, folder, size):
        self.folder = folder
        folder.mkdir(mode=0o755)
        self.is_mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder],
            capture_output=True).returncode == 0
        self.ballast = folder / "ballast"

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 16384)
            except OSError:
                pass

    def free(self):
        self.ballast.unlink(missing_ok=True)

    def remove(self):
        if self.is_mounted:
            subprocess.run(["umount", "-l", self.folder], check=True)


class Watched:
    """An agent with a target of its own; it is started again under the same name with the same spool."""

    def __init__(self, number, address, spools, ledger):
        self.host = f"agent-{number}"
        self.spool = spools / self.host
        self.address, self.ledger = address, ledger
        self.target = subprocess.Popen([sys.executable, "-c", TARGET], stdin=subprocess.PIPE)
        self.disk_was_full = False
        self.agent = None
        self.start()

    def start(self, *more):
        self.agent = Agent("watch", "--pid", self.target.pid, "--collector", self.address, "--interval", "100ms",
                           "--cpu-budget", "100%", "--service", "chaos", "--host", self.host,
                           "--spool-dir", self.spool, "--flush", "90s", *more)

    def kill(self):
        self.agent.child.kill()
        self.agent.wait()
        if self.disk_was_full:
            self.ledger.excuse(self.host, int(time.time() * 1000) * 1024)
        self.disk_was_full = False

    def end(self):
        self.agent.stop(signal.SIGTERM, 120)
        stopped = self.agent.matching("agent.stopped")
        assert stopped and "undelivered=0" in stopped[-1], f"{self.host} did not deliver: {self.agent.events[-5:]}"

    def close(self):
        for child in (self.agent.child, self.target):
            if child.poll() is None:
                child.kill()
                child.wait()


class Scene:
    def __init__(self, agents, swarm, rounds, seed):
        self.random = random.Random(seed)
        self.ledger = Ledger()
        self.folder = new_folder()
        self.database_disk = Disk(self.folder / "database", "300m")
        self.spool_disk = Disk(self.folder / "spools", "8m")
        (self.database_disk.folder / "pg").mkdir()
        self.postgres = PrivatePostgres(self.database_disk.folder / "pg").create().start()
        self.collectors = [Collector(options=["--dsn", self.postgres.dsn, "--batch-every", "50ms"],
                                     private=False, folder=self.folder).start() for _ in range(2)]
        # half of the agents are given both collectors, the others a balancer before them
        self.taps = [WireTap(backends, self.ledger, seed) for backends in
                     ([c.address for c in self.collectors], *([c.address] for c in self.collectors))]
        balancer, *each = [tap.address for tap in self.taps]
        self.agents = [Watched(n, balancer if n % 2 else ",".join(each), self.spool_disk.folder, self.ledger)
                       for n in range(1, agents + 1)]
        self.swarm = Swarm(self.folder, [c.address for c in self.collectors], agents=swarm, interval="1s",
                           duration=f"{rounds * ROUND_SECONDS}s", retry="1s", patience="10m", services=5)

    # ---- faults: each breaks something and returns what mends it ----

    def kill_agent(self):
        agent = self.random.choice(self.agents)
        agent.kill()
        return agent.start

    def end_agent(self):
        """With a second to deliver; the rest is for the next one."""
        agent = self.random.choice(self.agents)
        agent.agent.child.send_signal(signal.SIGTERM)

        def mend():
            agent.agent.child.send_signal(signal.SIGTERM)  # enough
            self.wait_end(agent.agent.child, agent.agent.events)
            if agent.disk_was_full:
                self.ledger.excuse(agent.host, int(time.time() * 1000) * 1024)
            agent.disk_was_full = False
            agent.start()
        return mend

    def stop_agent(self):
        child = self.random.choice(self.agents).agent.child
        child.send_signal(signal.SIGSTOP)
        return lambda: child.send_signal(signal.SIGCONT)

    def kill_collector(self):
        collector = self.random.choice(self.collectors)
        collector.kill()
        return lambda: self.restart(collector)

    def kill_collectors(self):
        for collector in self.collectors:
            collector.kill()
        return lambda: [self.restart(collector) for collector in self.collectors]

    def end_collector(self):
        collector = self.random.choice(self.collectors)
        child = collector.child
        child.send_signal(signal.SIGTERM)

        def mend():
            self.wait_end(child, collector.lines)
            if collector.child is child:  # else it had been killed, too, and runs again
                self.restart(collector)
        return mend

    def stop_collector(self):
        child = self.random.choice(self.collectors).child
        child.send_signal(signal.SIGSTOP)
        return lambda: child.send_signal(signal.SIGCONT)

    def kill_database(self):
        self.postgres.kill()
        return self.restart_database

    def stop_database(self):
        pids = self.postgres.processes()
        self.postgres.signal_all(signal.SIGSTOP)

        def mend():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass
        return mend

    def cut_wire(self):
        for tap in self.some_taps():
            tap.cut()
        return self.pass_wire

    def freeze_wire(self):
        for tap in self.some_taps():
            tap.mode = "frozen"
        return self.pass_wire

    def slow_wire(self):
        for tap in self.some_taps():
            tap.mode = "slow"
        return self.pass_wire

    def some_taps(self):
        return self.random.sample(self.taps, self.random.randrange(1, len(self.taps) + 1))

    def fill_database(self):
        self.database_disk.fill()

        def mend():
            self.database_disk.free()
            self.restart_database()
        return mend

    def fill_spools(self):
        for agent in self.agents:
            agent.disk_was_full = True
        self.spool_disk.fill()
        return self.spool_disk.free

    def wait_end(self, child, log):
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            self.ledger.problems.append(f"{child.args[0]} did not end in {self.playing}: {log[-5:]}")
            child.kill()
            child.wait()

    def pass_wire(self):
        for tap in self.taps:
            tap.mode = "pass"

    def restart_database(self):
        if not self.postgres.is_running():
            self.postgres.start()

    def restart(self, collector):
        """It may be that it needs the database, which is down too: until it is up."""
        if collector.child.poll() is not None:
            listen = collector.address
            self.restart_database()
            collector.start(listen=listen)

    # In the order in which they are broken and mended: what was stopped goes on before anybody waits for it.
    names = ["stop_agent", "stop_collector", "stop_database", "cut_wire", "freeze_wire", "slow_wire", "fill_database",
             "fill_spools", "kill_database", "kill_agent", "end_agent", "kill_collector", "kill_collectors",
             "end_collector"]

    def faults(self):
        can_fill = self.database_disk.is_mounted and self.spool_disk.is_mounted
        return [name for name in self.names if can_fill or not name.startswith("fill")]

    # ---- a round ----

    def play(self, names):
        """Break, wait, mend; returns how long it took until facts flowed again."""
        self.playing = names
        mends = [getattr(self, name)() for name in sorted(names, key=self.names.index)]
        time.sleep(self.random.uniform(0.3, 2))
        for mend in mends:
            mend()
        self.restart_database()
        before, began = self.ledger.acks, time.monotonic()
        while self.ledger.acks == before and time.monotonic() < began + FLOW_SECONDS:
            time.sleep(0.02)
        if self.ledger.acks == before:
            self.ledger.problems.append(f"nothing flows {FLOW_SECONDS} s after {names}")
        return time.monotonic() - began

    def finish(self):
        for agent in self.agents:
            agent.end()

        figures = self.swarm.result()
        verdict = judge(self.swarm.ledger, self.postgres.dsn)
        print(f"swarm: {verdict.acknowledged} acknowledged, {verdict.lost} lost, {verdict.doubled} doubled, "
              f"{verdict.wrong} wrong, {figures['refused']} refused")
        if verdict.lost or verdict.doubled or verdict.wrong:
            self.ledger.problems.append(f"the swarm: {verdict}")

    def close(self):
        with self.swarm:
            pass
        for agent in self.agents:
            agent.close()
        for tap in self.taps:
            tap.close()
        for collector in self.collectors:
            collector.remove()
        self.postgres.stop()
        self.spool_disk.remove()
        self.database_disk.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def is_bad(verdict):
    return verdict.lost or verdict.doubled or verdict.wrong or verdict.dangling or \
        verdict.holes > verdict.dropped


COLUMNS = ("sent", "promised", "stored", "refused", "lost", "doubled", "wrong", "dangling", "holes")


def show_head():
    print("round" + "".join(f"{name:>9}" for name in COLUMNS) + "  flows after", flush=True)


def show(label, verdict, more=""):
    print(f"{label:>5}" + "".join(f"{getattr(verdict, name):>9}" for name in COLUMNS) + f"  {more}", flush=True)


def run(rounds, seed, agents, swarm, choose=None):
    """The verdict, and what went wrong in words."""
    scene = Scene(agents, swarm, rounds, seed)
    try:
        if "fill_database" not in scene.faults():
            print("not covered: full disks, which need the right to mount small ones")
        show_head()
        for number in range(1, rounds + 1):
            names = choose[number - 1] if choose else \
                scene.random.sample(scene.faults(), scene.random.choice((1, 1, 2)))
            names = [name for name in names if name in scene.faults()]
            seconds = scene.play(names)
            verdict = scene.ledger.judge(scene.postgres.dsn, False)
            show(number, verdict, f"{seconds:4.1f} s of {' + '.join(names)}")
            if is_bad(verdict):
                scene.ledger.problems.append(f"after {names}: {verdict}")
                break
        scene.finish()
        verdict = scene.ledger.judge(scene.postgres.dsn, True)
        show("end", verdict)
        if is_bad(verdict):
            scene.ledger.problems.append(f"at the end: {verdict}")
        return verdict, scene.ledger.problems
    finally:
        scene.close()


def main():
    parser = argparse.ArgumentParser(usage="chaos.py [--rounds N] [--seed S] [--agents N] [--swarm N]")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--swarm", type=int, default=50)
    options = parser.parse_args()
    print(f"{options.rounds} rounds with seed {options.seed}")
    verdict, problems = run(options.rounds, options.seed, options.agents, options.swarm)
    for problem in problems:
        print(f"chaos: {problem}", file=sys.stderr)
    print(f"{verdict.promised} promised, {verdict.lost} lost, {verdict.doubled} doubled: "
          f"{'FAILED' if problems else 'good'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
