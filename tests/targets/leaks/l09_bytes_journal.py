"""A journal in one bytes object that is made anew every five seconds, beside work that is always the
same: bytes grow, objects do not.

Verdict: buffer bytes
"""
import hashlib

journal = [b""]
calls = [0]


def run(n):
    calls[0] += 1
    for _ in range(n):
        hashlib.sha256(bytes(50000)).digest()
    if calls[0] % 50 == 0:
        journal[0] += b"x" * (25000 * n)
