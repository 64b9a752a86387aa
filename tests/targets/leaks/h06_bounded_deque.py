"""The last 400 events, for a page that shows them.

Verdict: none
"""
import collections

recent = collections.deque(maxlen=400)


class Event:
    def __init__(self, number):
        self.text = "event %d" % number


def run(n):
    for number in range(n):
        recent.append(Event(number))
