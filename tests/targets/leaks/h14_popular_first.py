"""A cache of a catalogue with 800 entries, popular ones first: ever slower, never quite full.

Verdict: none
"""
import random

cache = {}
random.seed()


class Product:
    def __init__(self, number):
        self.number = number
        self.text = "product %d" % number


def run(n):
    for _ in range(3 * n):
        number = int(800 * random.random() ** 2)
        if number not in cache:
            cache[number] = Product(number)
