"""Counters by labels, one of which is the number of an order.

Verdict: objects l11_metric_labels.Counter
"""
counters = {}
clock = [0]


class Counter:
    def __init__(self):
        self.value = 0


def count(*labels):
    counters.setdefault(labels, Counter()).value += 1


def run(n):
    for _ in range(n):
        clock[0] += 1
        count("orders", "paid", clock[0] + 1000)
        count("requests", "GET")
