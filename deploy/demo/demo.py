#!/usr/bin/env python3
"""
A fleet in small, on this machine: a collector with a PostgreSQL of its own, two web services of a few
processes each, a release that leaks. Ends with what a user would see, and with 0 only if
exactly that was found: one leak, in `shop`, of shop.Cart, since v2.

    ./dev demo [--keep]

Everything runs as it would in earnest; only the times are short: a snapshot every second instead of
every minute, and a horizon (the uptime after which growth is judged) of seconds instead of 30 hours.
"""
import argparse
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent

SHOPS, SEARCHES = 3, 2  # processes
INTERVAL, HORIZON, SWEEP_EVERY = "1s", 48, "2s"
OLD_RELEASE_SECONDS = 22
VERDICT_SECONDS = HORIZON * 1.125  # a leak is confirmed on its third look, the horizon and an eighth
PATIENCE_SECONDS = 85  # after the new release; all in all less than two minutes
KEEP_SECONDS = 2 * 3600

EXPECTED = [("shop", "shop.Cart", "v2")]


class Stopped(Exception):
    """Somebody sent a signal."""


class Failed(Exception):
    """The demonstration cannot go on; the text says why."""


# ---- on the screen -------------------------------------------------------------------------------

class Screen:
    """Narration. On a terminal with colours and a line that tells what is being waited for."""

    def __init__(self):
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colours = self.terminal and "NO_COLOR" not in os.environ
        self.started = time.monotonic()
        sys.stdout.reconfigure(errors="replace")

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def clock(self):
        seconds = int(time.monotonic() - self.started)
        return self.paint("2", f"{seconds // 60}:{seconds % 60:02d}")

    def clear(self):
        if self.terminal:
            sys.stdout.write("\r\033[K")

    def say(self, text):
        self.clear()
        print(f"{self.clock()}  {text}", flush=True)

    def show_waiting(self, text):
        if self.terminal:
            self.clear()
            sys.stdout.write(f"{self.clock()}  {self.paint('2', text)}")
            sys.stdout.flush()

    def command(self, words):
        self.clear()
        print(f"\n{self.paint('1;36', '$')} {self.paint('1', 'heapfleet ' + ' '.join(words))}", flush=True)

    def verdict(self, good, text):
        mark = self.paint("1;32", "✔") if good else self.paint("1;31", "✘")
        print(f"\n{mark} {self.paint('1', text)}", flush=True)


# ---- processes -----------------------------------------------------------------------------------

def end_with_parent():
    """In the child: if this program is killed, what it has started ends too (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def clean_environment(**more):
    """Without what could send the fleet's data elsewhere or give its processes another name."""
    foreign = ("PG", "DATABASE_URL", "HEAPFLEET_", "OTEL_", "DD_", "KUBERNETES_", "POD_")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(foreign)}, **more}


def start(command, log, environment):
    with open(log, "ab") as output:
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=output, env=environment, start_new_session=True,
                                preexec_fn=end_with_parent)


def stop(processes, seconds):
    """Ask all of them to end, and end those that do not, with all they have started."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def make_run_folder(parent):
    """One a run, so that several can run at once."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    folder.chmod(0o711)
    return folder


class Fleet:
    """The collector and the containers; a container is an agent that runs a service."""

    def __init__(self, programs, folder):
        self.programs = programs
        self.folder = folder
        self.collector = None
        self.address = None
        self.containers = {}  # name -> process
        self.count = 0

    def start_collector(self):
        log = self.folder / "collector.log"
        self.collector = start(
            [self.programs / "heapfleet-collector", "serve", "--listen", "127.0.0.1:0", "--data-dir",
             self.folder / "data", "--horizon", f"{HORIZON}s", "--sweep-every", SWEEP_EVERY],
            log, clean_environment())
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.collector.poll() is None:
            ready = re.search(r"collector\.ready listen=(\S+)", log.read_text(errors="replace"))
            if ready:
                self.address = ready.group(1)
                return
            time.sleep(0.05)
        raise Failed("the collector did not start")

    def start_container(self, service, version):
        self.count += 1
        name = f"{service}-{version}-{self.count}"
        environment = clean_environment(
            OTEL_SERVICE_NAME=service,
            OTEL_RESOURCE_ATTRIBUTES=f"service.version={version},service.instance.id={name}",
            PYTHONDONTWRITEBYTECODE="1")
        self.containers[name] = start(
            [self.programs / "heapfleet-agent-static", "run", "--collector", self.address, "--interval", INTERVAL,
             "--cpu-budget", "50%", "--", sys.executable, HERE / "serve.py", service, "--release", version,
             "--seed", self.count],
            self.folder / f"{name}.log", environment)

    def stop_container(self, service, version):
        name = next(name for name in self.containers if name.startswith(f"{service}-{version}-"))
        stop([self.containers.pop(name)], 10)

    def check(self):
        """Nobody has died unbidden."""
        if self.collector.poll() is not None:
            raise Failed(f"the collector has ended with {self.collector.returncode}")
        for name, process in self.containers.items():
            if process.poll() is not None:
                raise Failed(f"container {name} has ended with {process.returncode}")

    def ask(self, *words, **options):
        return subprocess.run([str(self.programs / "heapfleet"), *words], stdin=subprocess.DEVNULL,
                              env=clean_environment(HEAPFLEET_COLLECTOR=self.address), timeout=30, **options)

    def rows(self, *words):
        answer = self.ask(*words, "-o", "json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if answer.returncode != 0:
            raise Failed(answer.stderr.decode(errors="replace").strip())
        return json.loads(answer.stdout)

    def leaks(self):
        return [(row["service"], row["type"], row["introduced_in"]) for row in self.rows("leaks")]

    def check_arrivals(self):
        """Both services have reached the collector."""
        known = [row["service"] for row in self.rows("services")]
        if sorted(known) != ["search", "shop"]:
            raise Failed(f"the collector knows {known or 'no service'} and should know search and shop")

    def stop(self):
        stop(list(self.containers.values()), 10)
        if self.collector is not None:
            stop([self.collector], 30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def logs(self):
        """The end of each log that has anything to tell."""
        for path in sorted(self.folder.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()
            if lines:
                yield f"--- {path.name}", lines[-12:]


# ---- the play ------------------------------------------------------------------------------------

def wait(screen, fleet, seconds, text):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        fleet.check()
        screen.show_waiting(text)
        time.sleep(min(0.5, max(deadline - time.monotonic(), 0.01)))


def roll_out(screen, fleet):
    """One container after the other, as a fleet does it."""
    for _ in range(SHOPS):
        fleet.start_container("shop", "v2")
        wait(screen, fleet, 0.7, "rolling out shop v2")
        fleet.stop_container("shop", "v1")


def wait_for_the_verdict(screen, fleet):
    """Until the findings are what is expected, twice in a row; or patience ends."""
    started = time.monotonic()
    seen = 0
    while time.monotonic() - started < PATIENCE_SECONDS:
        up = int(time.monotonic() - started)
        wait(screen, fleet, 1.5, f"watching: shop v2 has been up for {up} s, "
                                 f"a verdict takes about {VERDICT_SECONDS:.0f} s")
        seen = seen + 1 if fleet.leaks() == EXPECTED else 0
        if seen == 2:
            return


def show(screen, fleet, *words):
    screen.command(words)
    answer = fleet.ask(*words)
    if answer.returncode != 0:
        raise Failed(f"heapfleet {words[0]} has ended with {answer.returncode}")


def show_findings(screen, fleet):
    show(screen, fleet, "services")
    show(screen, fleet, "deployments", "shop")
    show(screen, fleet, "leaks")
    show(screen, fleet, "compare", "shop", "v1", "v2", "--limit", "6")
    show(screen, fleet, "history", "shop", "shop.Cart")


def play(screen, fleet):
    screen.say("a collector starts, with a PostgreSQL of its own below " + shorten(fleet.folder))
    fleet.start_collector()
    screen.say(f"it listens on {fleet.address}")
    for _ in range(SEARCHES):
        fleet.start_container("search", "v1")
    for _ in range(SHOPS):
        fleet.start_container("shop", "v1")
    screen.say(f"{SEARCHES} containers of search and {SHOPS} of shop v1 serve requests; in each, "
               "heapfleet-agent run -- python3 ...")
    wait(screen, fleet, OLD_RELEASE_SECONDS, "shop v1 and search are watched, a snapshot a second")
    fleet.check_arrivals()
    screen.say("shop v2 is rolled out")
    roll_out(screen, fleet)
    screen.say("shop v2 serves all requests")
    wait_for_the_verdict(screen, fleet)
    show_findings(screen, fleet)
    found = fleet.leaks()
    if found != EXPECTED:
        raise Failed(f"expected {EXPECTED}, found {found}")
    screen.verdict(True, "found: shop leaks shop.Cart since v2; search fills a cache and is healthy")


def shorten(path):
    try:
        return str(path.relative_to(pathlib.Path.cwd()))
    except ValueError:
        return str(path)


def tell_how_to_look_around(fleet):
    heapfleet = shorten(fleet.programs / "heapfleet")
    print(f"""
It runs on, for at most {KEEP_SECONDS // 3600} hours. Look around:

    export HEAPFLEET_COLLECTOR={fleet.address}
    {heapfleet} top shop --by growth
    {heapfleet} history search search.Answer
    {heapfleet} --help

Logs are in {shorten(fleet.folder)}. To stop it:

    kill {os.getpid()}""", flush=True)


def report_failure(screen, fleet, reason):
    screen.clear()
    screen.verdict(False, f"the demonstration has failed: {reason}")
    for title, lines in fleet.logs():
        print(title, *lines, sep="\n", flush=True)


# ---- start and end -------------------------------------------------------------------------------

def on_signal(number, _frame):
    raise Stopped(number)


def set_signals(handler):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, handler)


def run(options, when_played=None):
    """The exit code. `when_played`, for --keep, is called with it while the fleet still runs."""
    screen = Screen()
    fleet = Fleet(options.bin.resolve(), make_run_folder(options.dir.resolve()))
    set_signals(on_signal)
    code = 1
    try:
        try:
            play(screen, fleet)
            code = 0
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads on: end without a word
        except (Failed, subprocess.SubprocessError, OSError, ValueError) as reason:
            report_failure(screen, fleet, reason)
        if when_played and fleet.address:
            tell_how_to_look_around(fleet)
            when_played(code)
            while True:
                signal.pause()
    except Stopped as stopped:
        code = 128 + stopped.args[0]
    finally:
        set_signals(signal.SIG_IGN)
        fleet.stop()
    return code


def run_in_background(options):
    """The fleet belongs to a process of its own, which stays; this one ends with the verdict."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(told)
        os._exit(run(options, when_played=lambda code: go_quiet(tell, code)))
    os.close(tell)
    set_signals(lambda number, _frame: os.kill(child, number))
    verdict = os.read(told, 1)
    if verdict:
        return verdict[0]
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def go_quiet(tell, code):
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.write(tell, bytes([code]))
    os.close(tell)
    signal.alarm(KEEP_SECONDS)


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description="a small fleet with a leak in it")
    parser.add_argument("--keep", action="store_true", help="leave it running, and say how to look around")
    parser.add_argument("--bin", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--dir", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    return run_in_background(options) if options.keep else run(options)


if __name__ == "__main__":
    sys.exit(main())
