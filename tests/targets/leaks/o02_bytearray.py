"""One buffer that is only ever appended to: bytes grow, the number of objects does not.

Verdict: buffer bytearray
"""
journal = bytearray()


def run(n):
    for _ in range(n):
        journal.extend(b"x" * 2000)
