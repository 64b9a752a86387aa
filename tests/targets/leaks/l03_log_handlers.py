"""Logging that is set up again at each request: one handler more each time, with a formatter and a
style, as many of each and of the same size: whichever is named, the others are its companions.

Verdict: objects logging.StreamHandler | logging.Formatter | logging.PercentStyle
"""
import io
import logging

stream = io.StringIO()


def set_up():
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logging.getLogger("shop").addHandler(handler)


def run(n):
    for _ in range(n):
        set_up()
