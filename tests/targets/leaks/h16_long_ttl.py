"""Tokens are valid for half a horizon, thirty seconds; then as many go as come.

Verdict: none
"""
import collections
import time

tokens = collections.OrderedDict()


class Token:
    __slots__ = ("until",)

    def __init__(self):
        self.until = time.monotonic() + 30


def run(n):
    for _ in range(n):
        tokens[object()] = Token()
    while tokens:
        key = next(iter(tokens))
        if tokens[key].until > time.monotonic():
            break
        del tokens[key]
