"""A logging.handlers.MemoryHandler that was given no target: it never lets go of a record.

Verdict: objects logging.LogRecord
"""
import logging.handlers

log = logging.getLogger("audit")
log.addHandler(logging.handlers.MemoryHandler(100))
log.propagate = False
log.setLevel(logging.INFO)


def run(n):
    for number in range(n):
        log.info("request %d", number)
