"""A start that needs much and keeps one small object in a hundred: what it freed stays with the
process, all the time, and grows no more.

Verdict: none
"""
kept = []


def start():
    many = [bytes(60) for _ in range(200000)]
    kept.extend(many[::100])


def run(n):
    if not kept:
        start()
    return [bytes(60) for _ in range(n)]
