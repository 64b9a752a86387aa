"""Generators that were started and never finished, kept by a list.

Verdict: objects generator
"""
started = []


def lines(number):
    text = "line %d" % number
    while True:
        yield text


def run(n):
    for number in range(n):
        generator = lines(number)
        next(generator)
        started.append(generator)
