"""Threads come and go, each with a connection in a threading.local and in a list of all of them.

Verdict: objects l01_thread_local.Connection
"""
import threading

here = threading.local()
all_of_them = []


class Connection:
    def __init__(self):
        self.inbox = []


def connection():
    if not hasattr(here, "connection"):
        here.connection = Connection()
        all_of_them.append(here.connection)
    return here.connection


def run(n):
    workers = [threading.Thread(target=connection) for _ in range(n)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
