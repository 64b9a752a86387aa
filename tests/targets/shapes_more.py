"""Objects of the standard library's types, as in shapes.py."""
import array
import asyncio
import contextvars
import csv
import ctypes
import datetime
import decimal
import fractions
import functools
import hashlib
import io
import itertools
import json.scanner
import mmap
import operator
import os
import pathlib
import pickle
import queue
import random
import re
import struct
import threading
import time
import types
import typing
import uuid
import xml.etree.ElementTree
import zlib

GROUPS = {}


def group(function):
    GROUPS[function.__name__] = function
    return function


@group
def arrays(n):
    made = []
    for i in range(n):
        grown = array.array("bhilqfdB"[i % 8])
        for _ in range(i % 40):
            grown.append(1)
        made += [grown, array.array("d", [1.0] * (i % 20))]
    return made


@group
def bytes_ios(n):
    made = []
    for i in range(n):
        written = io.BytesIO()
        for _ in range(i % 12):
            written.write(b"some bytes ")
        exported = io.BytesIO(b"e" * (10 + i))
        made += [io.BytesIO(), io.BytesIO(b"x" * (i % 300)), written, exported.getvalue(), exported]
    return made


@group
def string_ios(n):
    made = []
    for i in range(n):
        written = io.StringIO()
        written.write("text" * (i % 20))
        made += [written, io.StringIO("initial %d" % i)]
    return made


@group
def buffered_ios(n):
    made = []
    for i in range(n // 20):
        raw = io.BytesIO(b"r")
        made += [io.BufferedReader(raw, 100 + i), io.BufferedWriter(raw, 200 + i),
                 io.BufferedRandom(io.BytesIO(b"s"), 300 + i), io.TextIOWrapper(io.BytesIO(b"t"))]
    return made


Ints = ctypes.c_int * 30  # ctypes keeps the classes of arrays that it made
MATCHER = re.compile("(.)(.)(.)?")


@group
def patterns(n):
    made = [re.compile("(a%d|b)[x-z]+(?P<n>.)" % i) for i in range(n // 20)]
    re.purge()
    return made + [MATCHER.match("text") for _ in range(n)]


@group
def datetimes(n):
    zone = datetime.timezone(datetime.timedelta(hours=3))
    made = []
    for i in range(n):
        day = datetime.date(2000 + i % 30, 1, 1)
        moment = datetime.datetime(2020, 1, 1, i % 24, tzinfo=zone if i % 2 else None)
        made += [day, moment, datetime.time(i % 24), datetime.time(1, tzinfo=zone),
                 datetime.timedelta(days=i + 1), datetime.timezone(datetime.timedelta(seconds=i + 1))]
    return made


@group
def decimals(n):
    return [decimal.Decimal(10) ** i + i for i in range(0, n, 7)] + \
           [decimal.Decimal("1.%d" % i) for i in range(n)] + \
           [decimal.Decimal("7" * (20 + i)) for i in range(n // 5)] + [decimal.Context() for _ in range(n // 20)]


@group
def fractions_(n):
    return [fractions.Fraction(10_000 + i, 7) for i in range(n)]


@group
def uuids(n):
    return [uuid.UUID(int=2 ** 100 + i) for i in range(n)]


@group
def paths(n):
    return [pathlib.PurePosixPath("/tmp/folder%d/file%d.txt" % (i, i)) for i in range(n)]


@group
def context_variables(n):
    made = []
    for i in range(n // 10):
        variable = contextvars.ContextVar("variable%d" % i)
        context = contextvars.Context()
        made += [variable, context, context.run(variable.set, None)]
    wide = contextvars.Context()
    for variable in made[::3]:
        wide.run(variable.set, 1)
    return made + [wide, wide.copy()]


@group
def locks(n):
    return [threading.Lock() for _ in range(n)] + [threading.RLock() for _ in range(n)] + \
           [threading.Event() for _ in range(n)] + [queue.SimpleQueue() for _ in range(n)] + \
           [threading.local() for _ in range(n // 20)]


@group
def structs(n):
    return [struct.Struct(form) for i in range(n)
            for form in ("", "i", "<ihq", "4s2x3i", "%ds" % (i % 50 + 1), "i" * (i % 20))]


@group
def hashes(n):
    return [hashlib.sha256(b"%d" % i) for i in range(n)] + [hashlib.md5() for i in range(n)] + \
           [hashlib.blake2b() for i in range(n)]


@group
def partials(n):
    return [functools.partial(print, i % 200, sep="") for i in range(n)] + \
           [operator.itemgetter(i % 200) for i in range(n)] + \
           [operator.itemgetter(1, 2) for i in range(n)] + \
           [operator.attrgetter("a%d.b" % i) for i in range(n)] + \
           [operator.methodcaller("m%d" % i, 1) for i in range(n)] + \
           [functools.cmp_to_key(len) for i in range(n)]


@group
def caches(n):
    cached = functools.lru_cache(maxsize=None)(lambda x, y=None: [x])
    bounded = functools.lru_cache(maxsize=50)(lambda x: (x, x))
    for i in range(n):
        cached(i)
        cached(i, y=None)
        bounded(i)
    return [cached, bounded]


@group
def generic_aliases(n):
    made = []
    if hasattr(types, "GenericAlias"):
        made += [types.GenericAlias(list, (int,)) for _ in range(n)]
    if hasattr(types, "UnionType"):
        made += [int | None for _ in range(n)]
    return made + [typing.TypeVar("T%d" % i) for i in range(n)]


@group
def struct_sequences(n):
    return [time.gmtime(86400 * i) for i in range(n)] + [os.stat("/") for _ in range(n)]


@group
def randoms(n):
    return [random.Random(i) for i in range(n // 10)]


@group
def elements(n):
    made = []
    for i in range(n):
        element = xml.etree.ElementTree.Element("tag%d" % i, {"key": "v"} if i % 2 else {})
        element.text = "text %d" % i
        for _ in range(i % 9):
            xml.etree.ElementTree.SubElement(element, "sub")
        made.append(element)
    return made


@group
def compressors(n):
    return [zlib.compressobj() for _ in range(n // 50)] + [zlib.decompressobj() for _ in range(n // 10)]


@group
def picklers(n):
    made = []
    for i in range(n // 20):
        pickler = pickle.Pickler(io.BytesIO())
        pickler.dump([[k] for k in range(i)])
        unpickler = pickle.Unpickler(io.BytesIO(pickle.dumps([[k] for k in range(i)])))
        unpickler.load()
        made += [pickler, unpickler, pickle.Pickler(io.BytesIO())]  # the last has written nothing yet
    return made


@group
def ctypes_classes(n):
    made = []
    for i in range(n // 10):
        fields = [("field_%d" % k, ctypes.c_int if k % 2 else Ints) for k in range(i % 12)]
        made += [type(ctypes.Structure)("Made", (ctypes.Structure,), {"_fields_": fields}),
                 type(ctypes.Union)("United", (ctypes.Union,), {"_fields_": fields})]
    return made


@group
def readers_and_scanners(n):
    return [csv.reader([]) for _ in range(n)] + [json.JSONDecoder() for _ in range(n)] + \
           [json.JSONEncoder() for _ in range(n)] + \
           [json.scanner.make_scanner(json.JSONDecoder()) for _ in range(n)]


@group
def maps(n):
    return [mmap.mmap(-1, 4096) for _ in range(n // 50)]


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double), ("name", ctypes.c_char * 40)]


@group
def ctypes_(n):
    return [ctypes.c_int(i) for i in range(n)] + [Point(i % 200) for i in range(n)] + \
           [Ints() for i in range(n)] + [ctypes.create_string_buffer(16) for i in range(n)]


@group
def futures(n):
    loop = asyncio.new_event_loop()
    made = [loop.create_future() for _ in range(n)]
    loop.close()
    return made


@group
def tees(n):
    made = []
    for i in range(n // 10):
        first, second = itertools.tee(range(200))
        for _ in range(i):
            next(first)
        made += [first, second]
    return made


class Fields(typing.NamedTuple):
    name: str
    value: int = 0


@group
def typed_tuples(n):
    return [Fields("name%d" % i) for i in range(n)]
