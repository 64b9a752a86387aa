"""Connections that are taken from a pool and given back, a varying number at a time.

Verdict: none
"""
import collections
import math

free = collections.deque()
clock = [0]


class Connection:
    def __init__(self):
        self.buffer = bytearray(256)


def run(n):
    clock[0] += 1
    wanted = 20 + int(15 * math.sin(clock[0] / 40))
    taken = [free.popleft() if free else Connection() for _ in range(wanted)]
    free.extend(taken)
