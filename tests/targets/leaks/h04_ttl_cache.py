"""A cache whose entries are dropped four seconds after they were made: soon as many go as come.

Verdict: none
"""
import time

TTL_S = 4
cache = {}
clock = [0]


class Entry:
    def __init__(self):
        self.until = time.monotonic() + TTL_S
        self.value = [0] * 20


def run(n):
    for _ in range(n):
        clock[0] += 1
        cache[clock[0]] = Entry()
    now = time.monotonic()
    for key in [key for key, entry in cache.items() if entry.until < now]:
        del cache[key]
