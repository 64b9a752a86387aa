"""Errors that were caught where they were raised, kept with the time: one frame each.

Verdict: objects ValueError
"""
import datetime

errors = []


def handle(text):
    try:
        int(text)
    except ValueError as error:
        errors.append((datetime.datetime.now(), error))


def run(n):
    for _ in range(n):
        handle("no number")
