"""A table by number that is full after a while: it was made larger in ever wider steps until then.

Verdict: none
"""
SIZE = 50_000
table = {}
calls = [0]


def run(n):
    for _ in range(60 * n):
        calls[0] += 1
        table[calls[0] % SIZE] = calls[0] % 200
