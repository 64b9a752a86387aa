"""A dict of numbers that were seen, all with the same value: its table doubles, the keys stay.

Verdict: objects int
"""
seen = {}
numbers = iter(range(1000, 1 << 60))


def run(n):
    for _ in range(20 * n):
        seen[next(numbers)] = True
