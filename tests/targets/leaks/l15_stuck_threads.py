"""A worker thread, now and then, that waits for a reply that never comes: slow.

Verdict: objects l15_stuck_threads.Poller
"""
import threading

calls = [0]


class Poller(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.reply = threading.Event()

    def run(self):
        self.reply.wait()


def run(n):
    calls[0] += 1
    if calls[0] % 8 == 0:
        Poller().start()
