"""Requests, what code does with them, and the process that results: counts, bytes and memory, step by step."""

import numpy as np

STEP = 60  # seconds of one step of the simulation
DAY = 1440  # steps of a day
HOUR = 60
DAYS = 10
STEPS = DAYS * DAY
EPOCH = 1_760_313_600  # a Monday, 00:00 UTC
BUILTIN = {
    "dict": 184,
    "list": 88,
    "str": 68,
    "tuple": 56,
    "function": 152,
    "cell": 40,
    "bytes": 120,
    "float": 24,
    "set": 216,
    "method": 64,
    "traceback": 64,
    "frame": 420,
}


# ---- traffic --------------------------------------------------------------------------------------


def wander(rng, steps, every, sd):
    """Gaussian noise with a memory of `every` steps."""
    knots = rng.normal(0, sd, steps // every + 3)
    return np.interp(np.arange(steps) / every + rng.random(), np.arange(len(knots)), knots)


def traffic(rng, s):
    """Requests a step of the whole service, and the share of them that fails."""
    t = np.arange(STEPS)
    hour = t / HOUR % 24
    rhythm = np.exp(-(((hour - s.peak + 12) % 24 - 12) ** 2) / (2 * s.width**2))
    rhythm += 0.6 * np.exp(-(((hour - s.peak - 6 + 12) % 24 - 12) ** 2) / (2 * 2.5**2))
    rate = 1 - s.swing + s.swing * rhythm / rhythm.mean() if s.swing < 1 else rhythm / rhythm.mean()
    rate = np.maximum(rate, 0.02)
    rate[(t // DAY) % 7 >= 5] *= s.weekend
    rate *= np.exp(wander(rng, STEPS, 60, s.noise) + wander(rng, STEPS, 10, s.noise / 2))
    rate *= (1 + s.growth) ** (t / (7 * DAY))
    for _ in range(rng.poisson(s.bursts * DAYS)):
        at = rng.integers(STEPS)
        rate[at:] *= 1 + rng.uniform(0.5, 4) * np.exp(-np.arange(STEPS - at) / rng.uniform(5, 60))
    for at, factor in s.shifts:
        rate[at:] *= factor
    failing = np.full(STEPS, s.errors)
    s.outages = np.zeros(STEPS, bool)
    for _ in range(rng.poisson(s.incidents * DAYS)):
        at, long = rng.integers(STEPS), int(rng.exponential(35)) + 3
        failing[at : at + long] += rng.uniform(0.05, 0.5)
        s.outages[at : at + long] = True
    return rate, np.minimum(failing, 1)


# ---- what code does with requests ------------------------------------------------------------------
# Each takes a life (its requests a step, `n`) and gives how many instances live at each step.


def window(x, steps):
    """The sum of the last `steps` values."""
    c = np.concatenate(([0.0], np.cumsum(x)))
    i = np.arange(1, len(c))
    return c[i] - c[np.maximum(0, i - steps)]


def high_water(x, steps):
    """The largest of the last `steps` or so values."""
    out = x.astype(float).copy()
    done = 1
    while done < steps:
        by = min(done, steps - done)
        out[by:] = np.maximum(out[by:], out[:-by].copy()) if by < len(out) else out[by:]
        done += by
    return out


DISTINCT = {}


def distinct(requests, keys, skew):
    """Expected number of different keys among so many requests, keys being Zipf popular."""
    if (keys, skew) not in DISTINCT:
        edges = np.unique(np.round(np.logspace(0, np.log10(keys + 1), 160)).astype(np.int64))
        many = np.diff(edges)
        p = ((edges[:-1] + edges[1:] - 1) / 2.0) ** -skew
        p /= (p * many).sum()
        ask = np.concatenate(([0], np.logspace(-1, 10, 240)))
        DISTINCT[keys, skew] = ask, ((1 - np.exp(-np.outer(ask, p))) * many).sum(axis=1)
    return np.interp(requests, *DISTINCT[keys, skew])


def static(life, p):
    up = np.arange(len(life.n)) + 1
    return p["base"] * life.version_factor(p) * np.minimum(1, up / p.get("boot", 4))


def garbage(life, p):
    return life.rng.poisson(life.n / STEP * p["latency"]) * p["per"]


def seen_keys(life, p):
    asked = np.cumsum(life.n) * p["share"] + p.get("warm", 0)
    expected = distinct(asked, p["keys"], p["skew"])
    new = life.rng.poisson(np.maximum(0, np.diff(expected, prepend=expected[0])))
    return np.minimum(np.cumsum(new) + expected[0], p.get("maxsize", 1e18))


def ttl_cache(life, p):
    c = np.concatenate(([0.0], np.cumsum(life.n * p["share"])))
    i = np.arange(1, len(c))
    kept = p["ttl"] + i % p.get("sweep", 1)  # what has expired goes when the sweeper comes
    live = distinct(c[i] - c[np.maximum(0, i - kept)], p["keys"], p["skew"])
    return live + life.rng.normal(0, 0.3, len(live)) * np.sqrt(live + 1)


def sessions(life, p):
    born = life.rng.poisson(life.n * p["per"])
    part = born // 3
    return (
        window(born - 2 * part, p["ttl"]) + window(part, p["ttl"] // 4 + 1) + window(part, p["ttl"] // 12 + 1)
    )


def pool(life, p):
    busy = life.rng.poisson(life.n / STEP * p["latency"])
    return np.minimum(high_water(busy, p["idle"]) + p["least"], p["most"])


def thread_pool(life, p):
    busy = life.rng.poisson(life.n / STEP * p["latency"])
    return np.minimum(np.maximum.accumulate(busy), p["most"])


def lazy(life, p):
    used = np.cumsum(life.n)
    out = np.zeros(len(used))
    for mean, size in zip(p["means"], p["sizes"]):
        out += size * (used > life.rng.exponential(mean))
    return out


def backlog(life, p):
    """Lindley's queue: what came less what could be served, never below nothing."""
    serve = np.full(len(life.n), p["capacity"])
    serve[life.outages] *= p.get("slowed", 0.2)
    w = np.cumsum(life.n * p["per"] - serve)
    return np.minimum(w - np.minimum(0, np.minimum.accumulate(w)), p.get("most", 1e9))


def retries(life, p):
    come = life.rng.poisson(life.n * life.failing * p["per"])
    w = np.cumsum(come - np.where(life.outages, 0, p["drain"]))
    return np.minimum(w - np.minimum(0, np.minimum.accumulate(w)), p["most"])


def batch(life, p):
    at = (life.t - p["at"]) % p["every"]
    size = p["size"] * np.exp(0.1 * life.noise_by((life.t - p["at"]) // p["every"]))
    return np.where(at < p["long"], size * at / p["long"], 0)


def day_log(life, p):
    day = life.t // DAY
    total = np.cumsum(life.rng.poisson(life.n * p["per"]))
    first = np.searchsorted(day, day - p["keep"], side="right")
    return total - np.where(first > 0, total[first - 1], 0)


def cycles(life, p):
    """Garbage in cycles: the collector's last generation frees it once a quarter has been added."""
    made = np.cumsum(life.rng.poisson(life.n * p["per"]))
    out, start, i = made.copy(), 0, 0
    while i < len(made):
        limit = p["threshold"] * life.rng.uniform(0.8, 1.25)
        j = int(np.searchsorted(made, start + limit))
        out[i:j] -= start
        if j >= len(made):
            break
        start, i = made[j], j
    return np.maximum(out, 0)


def tables(life, p):
    """A table of features that is loaded again each time the business has a new one."""
    turn = (life.t + p["at"]) // p["every"]
    return p["base"] * (1 + p["spread"] * life.noise_by(turn) + p["grows"] * life.t / (7 * DAY))


def retain(life, p):
    """The leak."""
    how, rng = p["how"], life.rng
    active = life.leaking(p)
    if not active:
        return np.zeros(len(life.n))
    if how == "error":
        kept = rng.poisson(life.n * life.failing * p["per"])
    elif how == "timer":
        kept = rng.poisson(np.full(len(life.n), p["per"]))
    elif how == "cron":
        kept = np.where(life.t % DAY == p["at"], rng.poisson(p["per"], len(life.n)), 0)
    else:
        kept = rng.poisson(life.n * p["per"])
    kept = np.where(life.t >= p.get("since", 0), kept, 0)
    return np.cumsum(kept) * active


class Holds:
    """A population: which class, how large, what each instance brings along, and who holds it."""

    def __init__(self, how, cls, each, brings, holder=None, leak=False, only=None, **p):
        self.how, self.cls, self.size, self.brings, self.holder = how, cls, each, brings, holder
        self.leak, self.p = leak, p
        self.since = only  # first version that has this code
        self.kind = p.get("kind", "retained")


# ---- a process ------------------------------------------------------------------------------------


class Life:
    def __init__(self, service, slot, worker, start, end, version, index):
        s = self.service = service
        self.rng = np.random.default_rng([s.seed, slot, worker, start, 7])
        self.slot, self.version, self.index, self.start = slot, version, index, start
        self.t = np.arange(start, end)
        share = s.shares[slot] / s.workers
        mean = s.rate[start:end] * share * s.per_step
        self.n = self.rng.poisson(mean)
        self.failing, self.outages = s.failing[start:end], s.outages[start:end]
        self.oom = False

    def version_factor(self, p):
        if p.get("creep"):
            return (1 + p["creep"]) ** max(0, self.index - p.get("creep_from", 0))
        return float(
            np.exp(
                np.random.default_rng([self.service.seed, self.index, int(p["base"])]).normal(
                    0, self.service.version_jitter
                )
            )
        )

    def noise_by(self, turn):
        """The same draw for the same turn, in all processes of the service."""
        draws = np.random.default_rng([self.service.seed, 99]).normal(0, 1, 20000)
        return draws[turn % 20000]

    def leaking(self, p):
        if "slots" in p and self.slot not in p["slots"]:
            return 0
        first, fixed = p["versions"]
        return 1 if first <= self.index < fixed else 0

    def simulate(self):
        s, m = self.service, len(self.t)
        count = {k: np.full(m, float(v)) for k, v in s.interpreter.items()}
        size = {k: BUILTIN[k] * v for k, v in count.items()}
        boot = np.minimum(1, (np.arange(m) + 1) / 3)
        for k in count:
            count[k] *= boot
            size[k] *= boot
        native = np.zeros(m)
        for h in s.holds:
            if h.since is not None and self.index < h.since:
                alive = np.zeros(m)
            else:
                alive = np.maximum(0, np.round(h.how(self, h.p)))
            if h.kind == "native":
                native += alive * h.size
                continue
            if h.kind == "buffer":  # the same few buffers, ever longer
                count[h.cls] = np.full(m, float(h.p["buffers"]))
                size[h.cls] = 4096.0 * h.p["buffers"] + alive * h.size
                continue
            count[h.cls] = count.get(h.cls, 0) + alive
            size[h.cls] = size.get(h.cls, 0) + alive * h.size
            for k, each in h.brings.items():
                count[k] = count.get(k, 0) + np.round(alive * each)
                size[k] = size.get(k, 0) + alive * each * BUILTIN[k]
            if h.holder:
                room = 2 ** np.ceil(np.log2(np.maximum(8, alive * 1.5)))
                size[h.holder] = size[h.holder] + room * (52 if h.holder == "dict" else 8)
        for k, sd in s.jitter.items():  # what the framework does meanwhile
            noise = np.exp(self.rng.normal(0, sd, m))
            count[k] *= noise
            size[k] *= noise
        objects = sum(size.values())
        held = np.maximum(np.maximum.accumulate(objects) * s.keeps, objects)
        rss = s.bare + held * 1.12 + native
        if s.fragments:
            rss = rss + s.fragments * s.bare * np.log1p(np.cumsum(self.n) / 2e4)
        self.count, self.size, self.objects, self.rss = count, size, objects, rss
        work = self.n * s.cost * np.exp(self.rng.normal(0, 0.1, m)) + s.idle_ms
        for h in s.holds:
            if h.how is batch:
                work = work + np.where((self.t - h.p["at"]) % h.p["every"] < h.p["long"], 25_000, 0)
        self.cpu = np.cumsum(np.minimum(work, 59_000))
        return self

    def cut(self, steps):
        for name in ("t", "n", "rss", "objects", "cpu"):
            setattr(self, name, getattr(self, name)[:steps])
        self.count = {k: v[:steps] for k, v in self.count.items()}
        self.size = {k: v[:steps] for k, v in self.size.items()}
