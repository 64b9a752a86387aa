"""A list that gets the same object again and again: no object is new, only its room grows.

Verdict: buffer list
"""
answers = []
ANSWER = {"status": "ok"}


def run(n):
    answers.extend([ANSWER] * 400 * n)
