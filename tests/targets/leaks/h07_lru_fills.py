"""A cache of 1,000 results: fills for twenty seconds, a third of a horizon, and is full then.

Verdict: none
"""
import functools

clock = [0]


class Result:
    def __init__(self, key):
        self.key = key


@functools.lru_cache(maxsize=1000)
def result(key):
    return Result(key)


def run(n):
    for _ in range(n):
        clock[0] += 1
        result(clock[0])
