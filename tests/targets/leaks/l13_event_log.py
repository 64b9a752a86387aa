"""Events in a list, so many of them that the list itself weighs.

Verdict: objects l13_event_log.Event
"""
events = []


class Event:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


def run(n):
    for _ in range(40 * n):
        events.append(Event(1))
