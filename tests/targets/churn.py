"""Threads that make and drop objects without a pause, beside objects that are held.

usage: churn.py HELD THREADS CHURNED      each thread keeps replacing CHURNED objects of its own
"""
import sys
import threading

import dialogue


class Held:
    __slots__ = ("value",)


class HeldWithDict:
    def __init__(self, i):
        self.value, self.text = i, "held-%d" % i


class Churned:
    __slots__ = ("value", "other")


def churn(count, started):
    window = [Churned() for _ in range(count)]
    started.set()
    i = 0
    while True:
        window[i % count] = Churned()
        [str(i), {"i": i}, (i, i + 0.5)]
        i += 1


def main():
    held, threads, churned = map(int, sys.argv[1:])
    keep = [Held() for _ in range(held)], [HeldWithDict(i) for i in range(held)]
    for _ in range(threads):
        started = threading.Event()
        threading.Thread(target=churn, args=(churned, started), daemon=True).start()
        started.wait()
    dialogue.serve({}, held=len(keep[0]), churned=threads * churned)


if __name__ == "__main__":
    main()
