"""One list of True and False by the number of the event: the items are shared, the list grows.

Verdict: buffer list
"""
flags = []


def run(n):
    flags.extend([True, False] * (100 * n))
