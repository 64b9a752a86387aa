"""What each scenario changes in a service drawn by chance, and what is true of it afterwards."""

import numpy as np
from independent.processes import DAY, EPOCH, HOUR, STEP, distinct, seen_keys, static
from independent.services import Service


def warm_lru(s):
    for _ in range(2):
        keys, skew, share = 2_000_000, float(s.rng.choice([0.6, 0.8, 1.0])), s.rng.uniform(0.4, 1)
        size = int(distinct(s.hours(s.rng.uniform(4, 18), share), keys, skew))
        s.hold(seen_keys, holder="dict", keys=keys, skew=skew, share=share, maxsize=size)


def bounded_keys(s):
    for least, most in ((0, 0.01), (0.5, 1.0), (0.9, 1.3)):
        skew = s.rng.uniform(least, most)
        for hours in (7, 5, 3, 2, 1):
            p = dict(keys=int(s.hours(hours)), skew=skew, share=1.0)
            if s.bends(p, 0.5):
                break
        s.hold(seen_keys, holder="dict", **p)


def heaps(s):
    """Label sets, names, routes: the new ones come ever more seldom, and their number is bounded. It bends for
    ever, and never looks full."""
    for _ in range(2):
        s.hold(
            seen_keys,
            keys=int(s.log_uniform(3e3, 6e4)),
            skew=s.rng.uniform(1.2, 1.75),
            share=1.0,
            holder="dict",
        )


def late_memo(s):
    """No one could tell it from a leak before it is full: counted apart."""
    s.deploys, s.restarts = "none", 0.0
    hours = s.rng.uniform(70, 130)
    if s.rng.random() < 0.5:
        s.hold(seen_keys, keys=int(s.hours(hours) / 3), skew=0.0, share=1.0, holder="dict")
    else:
        s.hold(
            seen_keys,
            holder="dict",
            keys=int(s.hours(3000)),
            skew=0.0,
            share=0.5,
            maxsize=int(s.hours(hours, 0.5)),
        )


def backlog_daily(s):
    s.swing = s.rng.uniform(0.6, 0.95)
    s.add("queue", per=0.5, capacity=0.5 * s.per_worker * STEP * s.rng.uniform(1.02, 1.4), most=300_000)


def slow_cycles(s):
    for _ in range(2):
        t = s.log_uniform(3e3, 6e4)
        s.add("cycles", per=t / s.hours(s.rng.uniform(3, 14)), threshold=t)


def late_cycles(s):
    s.deploys, s.restarts = "none", 0.0
    t = s.log_uniform(3e3, 6e4)
    s.add("cycles", per=t / s.hours(s.rng.uniform(30, 90)), threshold=t)


def late_log(s):
    s.deploys, s.restarts = "none", 0.0
    s.add("daylog", keep=int(s.rng.integers(2, 4)))


def short_ttl(s):
    """A store whose entries would live longer than the process that has it."""
    s.recycle = s.hours(s.rng.uniform(2, 8))
    s.add("sessions", ttl=1440)
    s.add("daylog")


def daily_ttl(s):
    s.deploys = "daily"
    s.add("sessions", ttl=1440)


def long_sessions(s):
    s.deploys = "weekly"
    for _ in range(2):
        s.add("sessions", ttl=int(s.rng.integers(600, 1440)))


def several(what, times, **fixed):
    def scenario(s):
        for _ in range(times):
            s.add(what, **fixed)

    return scenario


def env(**values):
    def scenario(s):
        for k, (a, b) in values.items():
            setattr(s, k, a if a == b or isinstance(a, str) else s.rng.uniform(a, b))
        s.add("lru")

    return scenario


def warm_redeploys(deploys):
    def scenario(s):
        s.deploys = deploys
        s.add("lru", warm=s.hours(s.rng.uniform(5, 100)))
        s.add("sessions")

    return scenario


def recycled(s):
    s.recycle = s.hours(s.rng.uniform(2, 8))
    s.add("lru")
    s.add("lru")
    s.add("interned", skew=s.rng.uniform(0, 1))


def autoscaled(s):
    s.autoscaled, s.replicas, s.swing = True, int(s.rng.integers(6, 17)), s.rng.uniform(0.6, 0.95)
    s.add("lru")


def noisy_shard(s):
    s.replicas, s.workers = max(3, s.replicas), 1
    s.shares = np.exp(s.rng.normal(0, 0.06, s.replicas))
    s.shares[0] *= s.rng.uniform(2, 4)
    s.add("lru")


def ramp(s):
    at, days, to = s.rng.integers(DAY, 5 * DAY), s.rng.uniform(1, 4), s.rng.uniform(1.5, 3)
    s.shifts = [(int(at + k * days * DAY / 60), to ** (1 / 60)) for k in range(60)]
    s.add("sessions")


def traffic_shift(s):
    s.deploys = "twice"
    s.shifts = [(int(s.rng.integers(2 * DAY, 6 * DAY)), s.rng.uniform(1.4, 3))]
    s.add("sessions")


def big(s):
    s.replicas, s.workers, s.every = int(s.rng.integers(16, 41)), 1, 300


def new_cache(s):
    s.deploys = "twice"
    s.hold(
        seen_keys,
        holder="dict",
        only=1,
        keys=1_000_000,
        skew=0.8,
        maxsize=int(distinct(s.hours(s.rng.uniform(4, 24)) * 0.5, 1_000_000, 0.8)),
        share=0.5,
    )


def tight_limit(s):
    s.headroom = s.rng.uniform(0.96, 0.995)
    s.add("batch", every=DAY, size=40_000)


HEALTHY = dict(
    plain=lambda s: None,
    warm_lru=warm_lru,
    bounded_keys=bounded_keys,
    heaps=heaps,
    backlog=backlog_daily,
    cycles=slow_cycles,
    long_sessions=long_sessions,
    ttl=several("ttl", 3),
    batch=several("batch", 3),
    daylog=several("daylog", 3),
    lazy=several("lazy", 2),
    tables=several("tables", 3),
    diurnal=env(swing=(0.93, 0.99), width=(2, 3)),
    weekly=env(weekend=(0.05, 0.2)),
    growth=env(growth=(0.05, 0.2)),
    retries=env(incidents=(2, 5), errors=(0.005, 0.03)),
    evicted=env(evictions=(0.5, 4)),
    version_shift=env(version_jitter=(0.1, 0.3), deploys=("five", "five")),
    canary=env(canary=(True, True), rollback=(True, True), deploys=("five", "five")),
    fragments=env(fragments=(0.05, 0.3)),
    sampled=env(coverage=(0.2, 0.6)),
    daily=warm_redeploys("daily"),
    many=warm_redeploys("many"),
    recycled=recycled,
    autoscaled=autoscaled,
    noisy_shard=noisy_shard,
    ramp=ramp,
    traffic_shift=traffic_shift,
    new_cache=new_cache,
    tight_limit=tight_limit,
    big=big,
)


def leaky(**fixed):
    def scenario(s):
        args = {}
        for k, v in fixed.items():
            if k in ("deploys", "recycle_h", "room", "replicas", "canary", "partial", "autoscaled"):
                continue
            args[k] = s.log_uniform(*v) if isinstance(v, tuple) else v
        if "deploys" in fixed:
            s.deploys, s.rollback = fixed["deploys"], False
        if "recycle_h" in fixed:
            s.recycle = s.hours(s.rng.uniform(*fixed["recycle_h"]))
        if "room" in fixed:
            s.room_hours = s.rng.uniform(*fixed["room"])
        if "replicas" in fixed:
            s.replicas, s.workers, s.every = int(s.rng.integers(*fixed["replicas"])), 1, 300
        s.partial, s.autoscaled = fixed.get("partial", False), fixed.get("autoscaled", False)
        s.leak(**args)

    return scenario


def one_replica(s):
    s.replicas, s.workers = max(3, s.replicas), 1
    s.leaky_slots = [int(s.rng.integers(s.replicas))]
    s.leak(slots=set(s.leaky_slots))


def hidden(s):
    cls = s.name_of()
    size = int(distinct(s.hours(s.rng.uniform(6, 24)) * 0.6, 2_000_000, 0.8))
    s.hold(seen_keys, cls, holder="dict", keys=2_000_000, skew=0.8, share=0.6, maxsize=size)
    s.leak(cls=cls, base=size, a_day=s.log_uniform(0.1, 0.6), both=0)


def creep(s):
    s.deploys, s.rollback, s.canary = "daily", False, False
    cls, by = s.name_of(), s.rng.uniform(0.04, 0.12)
    s.hold(static, cls, base=int(s.log_uniform(2e3, 2e4)), boot=5, creep=by, creep_from=1, leak=True)
    s.truth = dict(
        types=[cls], brings=[], first=2, fixed=999, kind="creep", how="version", a_day=round(by, 3), base=0
    )


def builtin(s):
    cls = str(s.rng.choice(["str", "dict", "list", "tuple"]))
    s.leak(cls=cls, base=s.interpreter[cls], a_day=s.log_uniform(0.1, 1), bare=True, both=0)
    s.holds[-1].brings = {}


def no_objects(kind):
    def scenario(s):
        s.has_memory = True  # nothing else shows it
        h = s.leak(
            cls="bytearray" if kind == "buffer" else "(native memory)",
            kind=kind,
            base=200_000,
            a_day=s.log_uniform(0.1, 1),
            bare=True,
            both=0,
            buffers=3,
            holder=None,
        )
        h.size, h.brings = 1000, {}

    return scenario


LEAKS = dict(
    request=leaky(),
    slow=leaky(a_day=(0.02, 0.2)),
    fast=leaky(a_day=(3, 20), first=1, deploys="twice", room=(5, 24)),
    error=leaky(how="error"),
    one_replica=one_replica,
    versions=leaky(deploys="five", first=2, fixed=5),
    timer=leaky(how="timer"),
    cron=leaky(how="cron", a_day=(0.1, 0.6)),
    buffer=no_objects("buffer"),
    native=no_objects("native"),
    hidden=hidden,
    short_lives=leaky(recycle_h=(2, 8), a_day=(0.5, 5)),
    creep=creep,
    builtin=builtin,
    daily_leak=leaky(deploys="daily", first=2, a_day=(0.3, 2)),
    oom_loop=leaky(a_day=(2, 15), room=(4, 20)),
    big_leak=leaky(replicas=(16, 41)),
    partial=leaky(deploys="twice", first=2, partial=True),
    autoscaled_leak=leaky(autoscaled=True, replicas=(6, 16)),
)
APART = dict(
    late_memo=late_memo, late_cycles=late_cycles, late_log=late_log, short_ttl=short_ttl, daily_ttl=daily_ttl
)
SCENARIOS = {**HEALTHY, **APART, **LEAKS}


def make(name, seed):
    s = Service(name, seed)
    SCENARIOS[name](s)
    s.ordinary()
    s.prepare()
    lives = s.lives()
    truth = s.truth
    if truth:
        bad = [
            x
            for x in lives
            if truth["first"] <= x.index < truth["fixed"] and (not s.leaky_slots or x.slot in s.leaky_slots)
        ]
        ooms = [x.end for x in bad if x.oom]
        truth.update(
            onset=int(min((x.start for x in bad), default=0)) * STEP + EPOCH,
            oom=int(min(ooms)) * STEP + EPOCH if ooms else None,
            longest_h=round(max((len(x.t) for x in bad), default=0) / HOUR, 1),
            versions=len({x.index for x in lives}),
        )
    s.about = dict(
        replicas=s.replicas,
        workers=s.workers,
        every=s.every,
        deploys=s.deploys,
        rate=round(s.per_worker, 2),
        coverage=round(s.coverage, 2),
        recycle=bool(s.recycle),
        lives=len(lives),
        ooms=sum(x.oom for x in lives),
        median_life_h=round(float(np.median([len(x.t) for x in lives])) / HOUR, 1),
    )
    return s, lives
