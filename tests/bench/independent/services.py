"""A service: how it is deployed, scaled, restarted and watched, and the code it consists of."""

import collections
import zlib

import numpy as np
from independent.processes import (
    DAY,
    DAYS,
    EPOCH,
    HOUR,
    STEP,
    STEPS,
    Holds,
    Life,
    backlog,
    batch,
    cycles,
    day_log,
    distinct,
    garbage,
    lazy,
    pool,
    retain,
    retries,
    seen_keys,
    sessions,
    static,
    tables,
    thread_pool,
    traffic,
    ttl_cache,
    wander,
    window,
)

WORDS = (
    "Cart Order Session Price Quote Invoice Tenant Ticket Route Event Feed Basket Profile Offer Token Report "
    "Shipment Stock Rule Batch Job Lease Span Metric Document Vector Plan Rate Filter Page"
).split()
MODULES = "app.core app.models app.api shop.cart billing.lines auth.tokens search.index feed.items".split()


def features(s, r, log):
    """Code that is imported when somebody first asks for it, soon or after two days."""
    count = int(r.integers(5, 30))
    return dict(
        means=[log(10, s.requests_a_day() * 2) for _ in range(count)],
        sizes=[int(log(20, 900)) for _ in range(count)],
    )


def garbage_cycles(s, r, log):
    threshold = log(2e3, 4e4)
    return dict(per=threshold / s.hours(log(0.1, min(12, s.span() / 3))), threshold=threshold)


# What services consist of, and how such code is configured. `log(a, b)` draws evenly by ratio.
PIECES = {
    "static": (static, lambda s, r, log: dict(base=int(log(200, 30_000)), boot=int(r.integers(2, 15)))),
    "garbage": (garbage, lambda s, r, log: dict(latency=log(0.02, 2), per=int(r.integers(1, 40)))),
    "lru": (
        seen_keys,
        lambda s, r, log: dict(
            keys=int(log(3e3, 5e5)),
            skew=r.uniform(0.7, 1.3),
            share=r.uniform(0.3, 1),
            maxsize=int(2 ** r.integers(8, 15)),
            holder="dict",
        ),
    ),
    "ttl": (
        ttl_cache,
        lambda s, r, log: dict(
            keys=int(log(1e3, 2e5)),
            skew=r.uniform(0.6, 1.2),
            share=r.uniform(0.3, 1),
            ttl=int(log(5, max(10, min(600, s.span() * 20)))),
            sweep=int(r.integers(1, 30)),
            holder="dict",
        ),
    ),
    "pool": (
        pool,
        lambda s, r, log: dict(
            latency=log(0.05, 1), idle=int(log(5, 120)), least=2, most=int(r.integers(8, 60))
        ),
    ),
    "threads": (thread_pool, lambda s, r, log: dict(latency=log(0.1, 2), most=int(r.integers(8, 64)))),
    "lazy": (lazy, features),
    "interned": (
        seen_keys,
        lambda s, r, log: dict(keys=int(log(2e3, 8e4)), skew=r.uniform(0.9, 1.5), share=1.0, holder="dict"),
    ),
    "labels": (
        seen_keys,
        lambda s, r, log: dict(keys=int(log(200, 8_000)), skew=r.uniform(1.0, 1.8), share=1.0, holder="dict"),
    ),
    "sessions": (
        sessions,
        lambda s, r, log: dict(
            per=log(0.01, 0.3), ttl=int(log(20, max(30, min(1440, s.span() * 20)))), holder="dict"
        ),
    ),
    "queue": (
        backlog,
        lambda s, r, log: dict(
            per=1.0, capacity=s.per_worker * STEP * r.uniform(1.5, 4), slowed=r.uniform(0.1, 0.8), most=50_000
        ),
    ),
    "retries": (
        retries,
        lambda s, r, log: dict(per=1.0, drain=s.per_worker * STEP * r.uniform(0.05, 0.3), most=10_000),
    ),
    "batch": (
        batch,
        lambda s, r, log: dict(
            at=int(r.integers(DAY)),
            every=int(r.choice([DAY, DAY, 360, 60])),
            long=int(r.integers(10, 55)),
            size=int(log(1e3, 6e4)),
        ),
    ),
    "daylog": (
        day_log,
        lambda s, r, log: dict(per=min(1.0, log(2e3, 8e4) / s.requests_a_day()), keep=1, holder="list"),
    ),
    "cycles": (cycles, garbage_cycles),
    "tables": (
        tables,
        lambda s, r, log: dict(
            at=int(r.integers(DAY)),
            every=int(r.choice([DAY, 360, 60])),
            base=int(log(1e3, 4e4)),
            spread=r.uniform(0.002, 0.05),
            grows=r.uniform(0, 0.01),
        ),
    ),
}


# ---- a service ------------------------------------------------------------------------------------


class Service:
    """All that is drawn once. The scenario changes it before lives are simulated."""

    def __init__(self, name, seed):
        self.name = f"{name}-{seed}"
        self.scenario = name
        self.seed = zlib.crc32(name.encode()) % 100_003 * 1000 + seed
        r = self.rng = np.random.default_rng([self.seed, 1])
        pick = lambda *of: of[r.integers(len(of))]
        self.replicas = int(pick(1, 2, 2, 3, 3, 4, 5, 6, 8, 12))
        self.workers = int(pick(1, 1, 1, 2, 4)) if self.replicas <= 4 else 1
        self.per_worker = float(np.exp(r.uniform(np.log(0.3), np.log(20))))  # requests a second
        self.peak, self.width = r.uniform(9, 20), r.uniform(2.5, 5)
        self.swing, self.weekend = r.uniform(0.2, 0.9), r.uniform(0.4, 1.1)
        self.noise, self.growth = r.uniform(0.02, 0.15), r.normal(0.01, 0.02)
        self.bursts, self.incidents = r.uniform(0, 1.5), r.uniform(0, 0.6)
        self.errors = float(np.exp(r.uniform(np.log(2e-4), np.log(1e-2))))
        self.shifts = []
        self.deploys = pick("none", "weekly", "weekly", "twice")
        self.canary, self.rollback, self.partial = r.random() < 0.2, r.random() < 0.15, False
        self.recycle = None  # requests after which a worker is replaced
        self.restarts = r.uniform(0, 0.05)  # a day and process
        self.evictions = 0.0
        self.autoscaled = False
        self.roll = r.uniform(0.5, 8)  # minutes between two replicas of a deployment
        self.version_jitter = r.uniform(0, 0.04)
        self.cost, self.idle_ms = r.uniform(3, 60), r.uniform(50, 600)
        self.cost = min(self.cost, 45_000 / (self.per_worker * STEP * 3))
        self.bare, self.keeps, self.fragments = r.uniform(25e6, 90e6), r.uniform(0.5, 0.95), 0.0
        self.headroom = r.uniform(1.35, 2.5)
        self.room_hours = None  # or: what the leak needs to reach the limit
        self.jitter = {k: r.uniform(0.0005, 0.004) for k in ("dict", "list", "str", "tuple")}
        self.interpreter = {
            k: int(v * np.exp(r.normal(0, 0.3)))
            for k, v in dict(
                dict=14_000,
                list=5_000,
                str=52_000,
                tuple=21_000,
                function=26_000,
                cell=4_000,
                bytes=3_500,
                float=900,
                set=1_400,
                method=60,
                traceback=0,
                frame=25,
            ).items()
        }
        self.every = int(pick(60, 120, 180, 300))
        self.coverage = 1.0 if r.random() < 0.85 else r.uniform(0.3, 0.9)
        self.gaps, self.torn, self.missing = r.uniform(0, 0.15), 0.002, r.random() < 0.1
        self.has_cpu, self.has_memory = r.random() < 0.9, r.random() < 0.9
        names = [f"{m}.{w}" for m in MODULES for w in WORDS]
        self.names = [names[i] for i in r.permutation(len(names))]
        self.holds = []
        self.truth = {}
        self.leak_from = 0

    # -- pieces of code that a scenario or chance gives it

    def name_of(self):
        return self.names.pop()

    def brings(self):
        r = self.rng
        out = {"dict": 1.0, "str": float(r.integers(1, 6))}
        if r.random() < 0.5:
            out["list"] = float(r.integers(1, 3))
        if r.random() < 0.4:
            out["tuple"] = float(r.integers(1, 3))
        if r.random() < 0.2:
            out["float"] = float(r.integers(1, 4))
        return out

    def hold(self, how, cls=None, brings=None, **p):
        r = self.rng
        h = Holds(
            how,
            cls or self.name_of(),
            int(r.integers(48, 200)),
            brings if brings is not None else self.brings(),
            **p,
        )
        self.holds.append(h)
        return h

    def requests_a_day(self):
        return self.per_worker * 86400

    def log_uniform(self, least, most):
        return float(np.exp(self.rng.uniform(np.log(least), np.log(most))))

    def hours(self, hours, share=1.0):
        """Requests that a process gets in so many hours, or that share of them."""
        return self.per_worker * share * 3600 * hours

    def add(self, what, **more):
        """One population with parameters as such code has them."""
        how, draw = PIECES[what]
        for _ in range(50):
            params = draw(self, self.rng, self.log_uniform)
            params.update(more)
            if what not in ("lru", "interned", "labels") or self.bends(params):
                return self.hold(how, **params)
        return None

    def span(self):
        """Hours that a process may hope to live."""
        longest = {"daily": 24, "many": 3, "five": 42}.get(self.deploys, 240)
        if self.recycle:
            longest = min(longest, self.recycle / (self.per_worker * 3600))
        if self.autoscaled:
            longest = min(longest, 8)
        if self.headroom < 1:
            longest = min(longest, 24)
        if self.room_hours:
            longest = min(longest, self.room_hours)
        return min(longest, 24 / (self.evictions + 1e-3))

    def bends(self, p, pace=0.25):
        """Whether a cache can be told from a leak at all by the default horizon: in the last third of it, or of
        a life, it fills at a quarter of the pace of the first third or less, or has hardly grown. What does
        not is no ordinary part of a service: it has scenarios of its own."""
        span = min(30, self.span())
        at = [
            distinct(p.get("warm", 0) + self.per_worker * 3600 * h * p["share"], p["keys"], p["skew"])
            for h in (0, span / 3, span * 2 / 3, span)
        ]
        at = np.minimum(at, p.get("maxsize", 1e18))
        return at[3] - at[2] < pace * (at[1] - at[0]) or at[3] - at[2] < 0.02 * at[3]

    def ordinary(self):
        """What any service has."""
        r = self.rng
        for what in ("static", "static", "garbage"):
            self.add(what)
        for what in r.choice(
            [
                "lru",
                "ttl",
                "pool",
                "threads",
                "lazy",
                "interned",
                "labels",
                "sessions",
                "queue",
                "retries",
                "batch",
                "daylog",
                "cycles",
                "tables",
            ],
            int(r.integers(4, 9)),
            replace=False,
        ):
            if what != "daylog" or self.span() > 40:
                self.add(what)

    def leak(self, how="request", a_day=None, base=None, first=0, fixed=999, cls=None, both=0.3, **p):
        """`a_day`: growth a day as a share of what the class has without the leak."""
        r = self.rng
        base = base or int(np.exp(r.uniform(np.log(300), np.log(15_000))))
        a_day = a_day or float(np.exp(r.uniform(np.log(0.3), np.log(3))))
        each = (
            a_day
            * base
            / {
                "request": self.requests_a_day(),
                "error": self.requests_a_day() * (self.errors + 0.004 * self.incidents),
                "timer": DAY,
                "cron": 1,
            }[how]
        )
        cls = cls or self.name_of()
        brings = self.brings()
        if not p.pop("bare", False):
            self.hold(static, cls, base=base, boot=3, brings=brings)
            self.hold(garbage, cls, latency=0.3, per=1, brings=brings)
        h = self.hold(
            retain,
            cls,
            brings=brings,
            leak=True,
            holder=p.pop("holder", r.choice(["list", "dict"])),
            per=each,
            versions=(first, fixed),
            at=int(r.integers(60, 300)),
            **p,
        )
        h.p["how"] = how
        types = {cls}
        if p.get("kind", "retained") == "retained" and r.random() < both:  # and what each of them refers to
            other = self.name_of()
            self.hold(static, other, base=base // 2 + 5, boot=3)
            o = self.hold(
                retain, other, brings={"dict": 1.0}, leak=True, per=each, versions=(first, fixed), **p
            )
            o.p.update(how=how, at=h.p["at"])
            types.add(other)
        self.truth = dict(
            types=sorted(types),
            brings=sorted(set(brings) | {str(h.holder)}),
            first=first,
            fixed=fixed,
            kind=p.get("kind", "retained"),
            how=how,
            a_day=round(a_day, 4),
            base=base,
        )
        return h

    # -- deployments and lives

    def schedule(self):
        """(step, version index, share of the slots), in order."""
        r = self.rng
        at = {
            "none": [],
            "weekly": [r.integers(0, 7) * DAY],
            "twice": [r.integers(1, 4) * DAY, r.integers(5, 9) * DAY],
            "daily": [d * DAY for d in range(1, DAYS)],
            "five": [int(d * 1.75) * DAY for d in range(1, 6)],
            "many": [
                d * DAY + k * 150 for d in range(DAYS) if d % 7 < 5 for k in range(int(r.integers(2, 5)))
            ],
        }[self.deploys]
        at = sorted(int(a + r.integers(9 * HOUR, 11 * HOUR)) for a in at)
        out, index = [(0, 0, 1.0)], 0
        for k, step in enumerate(at):
            before, index = index, index + 1
            if self.canary and self.replicas > 1:
                out.append((step - int(r.integers(60, 600)), index, 1.0 / self.replicas))
            if self.partial and k == len(at) - 1:
                out.append((step, index, 0.5))
                out.append((step + int(2.5 * DAY), index, 1.0))
                continue
            out.append((step, index, 1.0))
            if self.rollback and k % 3 == 1 % max(1, len(at)):
                out.append((step + int(r.integers(40, 200)), before, 1.0))
                out.append((step + int(r.integers(240, 420)), index, 1.0))
        return [x for x in sorted(out) if 0 <= x[0] < STEPS]

    def plan(self):
        """Stretches of a slot under one version."""
        slots = []
        schedule = self.schedule()
        for slot in range(self.replicas):
            line = []
            for step, index, share in schedule:
                if slot < max(1, round(share * self.replicas)) and (not line or line[-1][1] != index):
                    line.append((int(step + (slot * self.roll if step else 0)), index))
            slots.append(
                [
                    (a, b, i)
                    for (a, i), b in zip(line, [x for x, _ in line[1:]] + [STEPS])
                    if b - a > 3 and a < STEPS
                ]
            )
        return slots

    def hours_up(self, slot):
        """When an autoscaler keeps this slot."""
        if not self.autoscaled or slot < max(1, self.replicas // 3):
            return np.ones(STEPS, bool)
        smooth = window(self.rate, 30) / 30
        return smooth > np.quantile(smooth, 0.2 + 0.6 * slot / self.replicas)

    def prepare(self):
        self.rate, self.failing = traffic(self.rng, self)
        self.per_step = self.per_worker * self.workers * STEP
        if not hasattr(self, "shares"):
            self.shares = np.exp(self.rng.normal(0, 0.06, self.replicas))
        healthy, self.holds = self.holds, [h for h in self.holds if not h.leak]
        probe = Life(self, 0, 0, 0, STEPS, 0, max([0] + [h.since for h in self.holds if h.since])).simulate()
        self.holds = healthy
        peak = float(probe.rss.max())
        self.limit = peak * self.headroom
        if self.room_hours:
            full = Life(self, (self.leaky_slots or [0])[0], 0, 0, STEPS, 0, self.truth["first"]).simulate()
            gain = float(full.rss[-1] - probe.rss[-1]) / (STEPS / HOUR)
            self.limit = peak * 1.03 + max(gain, 1.0) * self.room_hours
        self.probe_peak = peak

    leaky_slots = None

    def lives(self):
        r, out = self.rng, []
        serial = 0
        for slot, stretches in enumerate(self.plan()):
            up = self.hours_up(slot)
            for a, b, index in stretches:
                edges = np.flatnonzero(np.diff(np.concatenate(([0], up[a:b].astype(int), [0]))))
                for on, off in zip(edges[::2] + a, edges[1::2] + a):
                    for worker in range(self.workers):
                        at, serial = on, serial + 1
                        while off - at > 3:
                            end, why = off, 0
                            gone = (
                                at + int(r.exponential(DAY / max(1e-9, self.restarts + self.evictions))) + 2
                            )
                            if gone < end:
                                end = gone
                            life = Life(self, slot, worker, at, end, f"v{index + 1}", index)
                            if self.recycle:
                                served = np.searchsorted(
                                    np.cumsum(life.n), self.recycle * r.uniform(0.9, 1.1)
                                )
                                if served + 2 < end - at:
                                    end = at + int(served) + 2
                                    life = Life(self, slot, worker, at, end, f"v{index + 1}", index)
                            life.simulate()
                            over = np.flatnonzero(life.rss > self.limit)
                            if len(over) and over[0] > 0:
                                life.cut(int(over[0]))
                                end, why = at + int(over[0]), 1
                                life.oom = True
                            serial += 1
                            life.end, life.why, life.name = end, why, f"pod-{slot}-{serial // 3}/{serial + 6}"
                            life.container = f"pod-{slot}-{on}"  # until it is deployed or scaled down
                            out.append(life)
                            at = end + (1 if why or self.recycle else int(r.integers(1, 8)))
        return out

    # -- what the agent would have said

    def rows(self, lives):
        """(time, text) of each snapshot and end, in order of time."""
        r = np.random.default_rng([self.seed, 2])
        usage = collections.defaultdict(lambda: np.zeros(STEPS))
        for life in lives:
            usage[life.slot][life.start : life.start + len(life.rss)] += life.rss
        out = []
        for life in lives:
            m = len(life.t)
            if not m or (self.missing and r.random() < 0.05):
                continue
            late = r.integers(5, self.every + 5)
            grid = np.arange(life.start * STEP + late, (life.start + m) * STEP, self.every)
            times = np.sort(grid + r.integers(-self.every // 12, self.every // 12 + 1, len(grid)))
            for _ in range(r.poisson(self.gaps * m / DAY)):
                at = r.integers(life.start, life.start + m) * STEP
                times = times[(times < at) | (times > at + r.exponential(4000))]
            times = times[r.random(len(times)) > 0.003]
            i = np.clip(times // STEP - life.start, 0, m - 1)
            names = sorted(life.count)
            columns = [times + EPOCH]
            torn = r.random(len(i)) < self.torn
            not_objects = life.rss - life.objects
            for k in names:
                wrong = np.where(torn & (r.random(len(i)) < 0.3), 1 + r.uniform(-0.03, 0.03, len(i)), 1.0)
                if self.coverage < 1:  # the same pages are read each time, new ones by lot
                    units = np.maximum(4, life.count[k].mean() / 40)
                    sd = np.sqrt((1 - self.coverage) / self.coverage / units)
                    wrong = wrong * np.maximum(0.2, 1 + r.normal(0, sd) + wander(r, m, 240, sd / 5)[i])
                columns += [life.count[k][i] * wrong, life.size[k][i] * wrong]
            form = "".join(f"%d,{self.name},{life.version},{life.name},{k},%d,%d\n" for k in names)
            extra = []
            if self.has_cpu:
                form += f"%d,{self.name},{life.version},{life.name},@cpu_ms,%d,0\n"
                extra.append((life.cpu[i],))
            if self.has_memory:
                form += f"%d,{self.name},{life.version},{life.name},@rss,%d,%d\n"
                limit = int(self.limit * self.workers)
                form += f"%d,{self.name},{life.version},{life.name},@container,%d,{limit},{life.container}\n"
                extra += [(life.rss[i], not_objects[i]), (usage[life.slot][life.start : life.start + m][i],)]
            cells = []
            for j in range(len(names)):
                cells += [columns[0], columns[1 + 2 * j], columns[2 + 2 * j]]
            for e in extra:
                cells += [columns[0], *e]
            for row in np.stack(cells, axis=1).astype(np.int64).tolist():
                out.append((row[0], form % tuple(row)))
            if r.random() < 0.9 and life.end < STEPS:
                when = life.end * STEP + EPOCH
                when = max(when, int(times[-1]) + EPOCH + 1) if len(times) else when
                out.append((when, f"{when},{self.name},{life.version},{life.name},@end,{life.why},0\n"))
        out.sort(key=lambda x: x[0])
        return out
