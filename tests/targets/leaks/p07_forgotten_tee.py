"""An iterator that was teed, and a branch of it that nobody reads.

Verdict: objects p07_forgotten_tee.Event
"""
import itertools


class Event:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


read, forgotten = itertools.tee(map(Event, itertools.count()))


def run(n):
    for _ in range(n):
        next(read)
