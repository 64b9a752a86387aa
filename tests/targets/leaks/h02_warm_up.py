"""Translations that are read once at their first use: full after a while.

Verdict: none
"""
loaded = {}


class Message:
    def __init__(self, key):
        self.text = "message %d" % key


def run(n):
    for _ in range(n):
        key = (len(loaded) * 7 + n) % 150
        for candidate in (key, key + 1, key + 2):
            if candidate not in loaded and len(loaded) < 150:
                loaded[candidate] = Message(candidate)
