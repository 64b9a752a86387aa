"""Connections in use rise with the day until the pool has its 150; none is closed, no more made.

Verdict: none
"""
SIZE = 150
free = []
clock = [0]


class Connection:
    def __init__(self):
        self.buffer = bytearray(512)


def run(n):
    clock[0] += 1
    wanted = min(SIZE, 10 + clock[0] * n // 6)
    taken = [free.pop() if free else Connection() for _ in range(wanted)]
    free.extend(taken)
