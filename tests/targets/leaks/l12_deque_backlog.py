"""Work that comes faster than it is done, as plain tuples in a deque.

Verdict: objects tuple
"""
import collections

backlog = collections.deque()
clock = [0]


def run(n):
    for _ in range(n):
        clock[0] += 1
        backlog.append(("resize", clock[0] + 1000))
    for _ in range(n // 5):
        backlog.popleft()
