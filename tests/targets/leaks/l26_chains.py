"""A chain of chains: each request puts one more before the stream.

Verdict: objects itertools.chain
"""
import itertools

stream = [iter(())]


def run(n):
    for _ in range(n):
        stream[0] = itertools.chain((1.5,), stream[0])
