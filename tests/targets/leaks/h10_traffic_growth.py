"""Twice the traffic after every 100 seconds: requests in flight grow with the work that they are.

Verdict: none
"""
import hashlib
import time

LATENCY_CALLS = 4
in_flight = []
started = time.monotonic()


class Request:
    def __init__(self):
        self.body = bytearray(300)

    def work(self):
        for _ in range(200):
            hashlib.sha256(self.body).digest()


def run(n):
    rate = int(4 * n * (1 + (time.monotonic() - started) / 100))
    batch = [Request() for _ in range(rate)]
    for request in batch:
        request.work()
    in_flight.append(batch)
    if len(in_flight) > LATENCY_CALLS:
        in_flight.pop(0)
