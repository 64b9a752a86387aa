"""Documents found by their number while somebody has them open, no longer.

Verdict: none
"""
import collections
import weakref

by_number = weakref.WeakValueDictionary()
open_now = collections.deque(maxlen=60)
clock = [0]


class Document:
    def __init__(self, number):
        self.number = number
        self.lines = ["line %d" % number]


def run(n):
    for _ in range(n):
        clock[0] += 1
        document = Document(clock[0])
        by_number[clock[0]] = document
        open_now.append(document)
