"""One object or two of each kind that the census measures in its own way; prints where they are."""
import array
import collections
import io
import itertools
import os
import struct
import sys
import time


class Plain:
    def __init__(self, i):
        self.a = i
        self.b = "b%d" % i


class Slots:
    __slots__ = ("x",)


class Meta(type):
    pass


class Großé(dict, metaclass=Meta):
    pass


def generate():
    while True:
        yield sys._getframe()


try:
    import decimal
except ImportError:  # a minimal installation
    decimal = None

slots = Slots()
slots.x = 1.5
generator = generate()
frame = next(generator)
asked = Plain(2)
split = Plain(3).__dict__
keep = [
    Plain(1), asked, asked.__dict__, split, slots, Großé(a=1), Plain, Slots, Meta, Großé, generator, frame,
    generate.__code__, generate, 12345678901234567890, True, None, "ascii", "größe", "漢字" * 3, "🙂",
    [1, 2, 3], [], (1, "a", Plain), (), {1: 2}, {"a": 1, "b": 2}, {}, {1, 2, 3}, set(range(100)),
    frozenset("abc"), bytearray(100), b"bytes", collections.deque(range(100)),
    collections.OrderedDict(a=1), collections.defaultdict(int), array.array("d", [1.0] * 9),
    io.BytesIO(b"x" * 50), struct.Struct("<IQd"), itertools.count(), range(9), 1.5, 2j, object(),
    memoryview(b"abc"), type("Late", (Plain,), {"__slots__": ("q",)}), int, str, dict, list, type, object,
] + ([decimal.Decimal("1.5")] if decimal else [])
for thing in keep:
    print("%x %x" % (id(thing), sys.getsizeof(thing)))
sys.stdout.flush()
os.close(1)
time.sleep(600)
