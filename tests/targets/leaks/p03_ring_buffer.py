"""A ring buffer that grows to its size like any bytearray, and is overwritten from then on.

Verdict: none
"""
SIZE = 2_000_000
ring = bytearray()
place = [0]


def run(n):
    for _ in range(n):
        line = b"z" * 2000
        if len(ring) < SIZE:
            ring.extend(line)
        else:
            ring[place[0]:place[0] + len(line)] = line
            place[0] = (place[0] + len(line)) % SIZE
