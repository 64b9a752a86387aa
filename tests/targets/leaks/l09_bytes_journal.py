"""A journal in one bytes object that is made anew each second, beside work that is always the same:
bytes grow, objects do not.

Verdict: buffer bytes
"""
import hashlib

journal = [b""]
calls = [0]


def run(n):
    calls[0] += 1
    for _ in range(n):
        hashlib.sha256(bytes(50000)).digest()
    if calls[0] % 10 == 0:
        journal[0] += b"x" * (5000 * n)
