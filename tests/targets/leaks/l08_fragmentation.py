"""Entries of a table are replaced now and then, each at the end of some work with many short-lived
objects of its size: every new entry keeps a pool that is empty otherwise. As many objects as ever,
but more memory.

Verdict: fragmentation
"""
POOL_BYTES = 16384
CALLS_PER_SIZE = 60
SIZES = [16 * step for step in range(2, 30)]

table = [bytes(20) for _ in range(4000)]
clock = [0]


def work(pools, size):
    short_lived = [bytes(size) for _ in range(pools * POOL_BYTES // (size + 40))]
    entry = bytes(size)
    del short_lived
    return entry


def run(n):
    size = SIZES[clock[0] // CALLS_PER_SIZE % len(SIZES)]
    table[clock[0] % len(table)] = work(n + clock[0] % CALLS_PER_SIZE, size)
    clock[0] += 1
