"""A worker of its own process that warms a cache and is replaced every twelve seconds.

Verdict: none
"""
import os
import time

worker = [0, 0.0]
cache = {}


class Template:
    def __init__(self, number):
        self.text = "template %d" % number


def work(parent):
    started = time.monotonic()
    while time.monotonic() - started < 12 and os.getppid() == parent:
        if len(cache) < 300:
            for _ in range(3):
                cache[len(cache)] = Template(len(cache))
        time.sleep(0.1)
    os._exit(0)


def run(n):
    if worker[0] and os.waitpid(worker[0], os.WNOHANG)[0]:
        worker[0] = 0
    if not worker[0]:
        parent = os.getpid()
        worker[0] = os.fork()
        if worker[0] == 0:
            work(parent)
