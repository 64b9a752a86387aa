"""A process for each job, as a web server of old: forked, gone in 0.3 s.

Verdict: none
"""
import os
import time

children = []
warm = [{"k": str(k)} for k in range(3000)]
calls = [0]


def run(n):
    calls[0] += 1
    for child in children[:]:
        if os.waitpid(child, os.WNOHANG)[0]:
            children.remove(child)
    if calls[0] % 5 == 0 and len(children) < 4:
        child = os.fork()
        if child == 0:
            kept = []
            for _ in range(3):
                kept.extend(dict(item) for item in warm[:500])
                time.sleep(0.1)
            os._exit(0)
        children.append(child)
