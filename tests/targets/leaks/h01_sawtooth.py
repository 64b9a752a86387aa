"""A batch that is gathered and let go, again and again.

Verdict: none
"""
pending = []


class Item:
    pass


def run(n):
    for _ in range(n):
        pending.append(Item())
    if len(pending) > 300:
        pending.clear()
