"""Errors kept for a report that nobody asks for: tracebacks hold frames, and those their locals.

Verdict: objects ValueError
"""
errors = []


def parse(text):
    words = text.split()
    return int(words[-1])


def handle(number):
    text = "request %d is not a number!" % number
    return parse(text)


def run(n):
    for _ in range(n):
        try:
            handle(len(errors))
        except ValueError as error:
            errors.append(error)
