"""Quiet, and ten times the requests for a few seconds now and then, which go to a queue first.

Verdict: none
"""
import collections
import random

queue = collections.deque()
crowd = [0]


class Request:
    def __init__(self):
        self.headers = {"host": "x"}
        self.body = b"x" * 200


def run(n):
    if crowd[0] == 0 and random.random() < 0.012:
        crowd[0] = random.randrange(20, 60)
    for _ in range(n * (10 if crowd[0] else 1)):
        queue.append(Request())
    crowd[0] = max(0, crowd[0] - 1)
    for _ in range(min(len(queue), 4 * n)):
        queue.popleft()
