"""Nothing for fifty seconds; then a feature is switched on, and leaks.

Verdict: objects l19_late.Preview
"""
import time

started = time.monotonic()
previews = {}


class Preview:
    def __init__(self, number):
        self.number = number
        self.pixels = bytes(200)


def run(n):
    made = [Preview(k) for k in range(n)]
    if time.monotonic() - started > 50:
        for preview in made:
            previews[len(previews)] = preview
