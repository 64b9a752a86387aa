"""Users come in the morning and go in the evening: a wave of 48 seconds, a day of fast time.

Verdict: none
"""
import math
import time

DAY_S = 48
present = []
started = time.monotonic()


class Visitor:
    def __init__(self):
        self.page = ["home"]


def run(n):
    day = (time.monotonic() - started) / DAY_S
    wanted = 60 * n + int(40 * n * math.sin(2 * math.pi * day))
    while len(present) < wanted:
        present.append(Visitor())
    del present[wanted:]
