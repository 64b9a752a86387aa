#!/usr/bin/env python3
"""Builds N of every built-in kind of object and tells what sys.getsizeof says of them, type by type.

usage: one_of_each.py [N]       (stdlib only, CPython 3.8+)

A line "ready" on stdout; then, for a line on stdin, the objects are built and a line of JSON says what came to be:
{"type": [count, bytes], ...}, counted by a closure from what was built over gc.get_referents, without what was there before.
A second line on stdin ends it.
"""
import array, collections, contextvars, datetime, decimal, enum, fractions, functools, gc, io, itertools, json, re, struct, sys, types, uuid, weakref

N = int(sys.argv[1]) if len(sys.argv) > 1 else 200
keep = []                       # helpers that must outlive the counting


class Plain:
    def __init__(self, i):
        self.a = i + 1000
        self.b = "b%d" % i


class Shown(Plain):             # its __dict__ was asked for
    pass


class Slots:
    __slots__ = ("x", "__weakref__")

    def __init__(self, i):
        self.x = float(i)


class Nothing:
    __slots__ = ()


class MyInt(int):
    pass


class MyStr(str):
    pass


class MyList(list):
    pass


class MyTuple(tuple):
    pass


class MyDict(dict):
    pass


class MySet(set):
    pass


class MyFloat(float):
    pass


class MyBytes(bytes):
    pass


class MyByteArray(bytearray):
    pass


class MyDeque(collections.deque):
    pass


class SlottedInt(int):
    __slots__ = ()


class Meta(type):
    pass


class Error(Exception):
    pass


Pair = collections.namedtuple("Pair", "a b")


def generator(n):
    a, b, c = n, n + 1, [n]
    yield a
    yield b, c


async def coroutine(n):
    return n


async def agenerator(n):
    yield n


def shown(i):
    o = Shown(i)
    o.__dict__
    return o


def grown(i):
    out = []
    for k in range(i % 50):
        out.append(None)
    return out


def utf8_cached(i):
    s = "\u20ac%d" % (i + 5000)
    getattr(types, s, None)      # asks for its UTF-8 form
    return s


def suspended(i):
    g = generator(i)
    next(g)
    return g


def framed(i):
    g = suspended(i)
    return g.gi_frame, g


def started_io(i):
    b = io.BytesIO(b"x" * i)
    b.write(b"0123")
    return b


def rotated(i):
    d = collections.deque(range(1000, 1000 + i))
    d.rotate(7)
    return d


def shrunk_dict(i):
    d = {k: None for k in range(i)}
    for k in range(i // 2):
        del d[k]
    return d


def coro(i):
    c = coroutine(i)
    return c


def cell(i):
    def inner():
        return i
    return inner


def raised(i):
    try:
        raise Error(i + 1000)
    except Error as e:
        return e.with_traceback(None)


KINDS = [
    lambda i: i + 1000, lambda i: -(1 << (i + 9)), lambda i: (1 << 15 * i) + 1, lambda i: MyInt(i + 1000), lambda i: SlottedInt(1 << i),
    lambda i: i + 0.25, lambda i: MyFloat(i), lambda i: complex(i, 1),
    lambda i: "s%d" % (i + 10000), lambda i: "x" * (i + 2), lambda i: "\xe9" * (i + 2), lambda i: "\u20ac" * (i + 2), lambda i: "\U0001f600" * (i + 2),
    lambda i: MyStr("m%d" % i), lambda i: MyStr("\u20ac%d" % i), utf8_cached,
    lambda i: b"b" * (i + 2), lambda i: MyBytes(b"b" * i), lambda i: bytearray(i), lambda i: bytearray(b"x" * i + b"y"), lambda i: MyByteArray(i),
    lambda i: [None] * i, grown, lambda i: MyList(range(i % 9)), lambda i: (None,) * (i + 1), lambda i: (i + 1000, None), lambda i: MyTuple((1,) * i),
    lambda i: Pair(None, i + 1000),
    lambda i: {}, lambda i: {"k%d" % k: None for k in range(i)}, lambda i: {k: None for k in range(i)}, shrunk_dict, lambda i: dict.fromkeys(range(i * 10)),
    lambda i: MyDict(a=1), lambda i: collections.defaultdict(list, {k: None for k in range(i)}), lambda i: collections.Counter("abc"),
    lambda i: collections.OrderedDict.fromkeys(range(i)), lambda i: collections.ChainMap(),
    lambda i: set(range(i)), lambda i: frozenset(range(i)), lambda i: MySet(range(i)), lambda i: set(range(i * 7)),
    lambda i: collections.deque(range(i)), rotated, lambda i: MyDeque(range(i)), lambda i: collections.deque(maxlen=4),
    lambda i: range(i + 1000), lambda i: slice(i, None), lambda i: memoryview(b"abc"), lambda i: object(),
    lambda i: array.array("d", [0.5] * i), lambda i: array.array("b", b"x" * i), lambda i: started_io(i), lambda i: io.BytesIO(b"s" * i),
    lambda i: io.StringIO("x" * i), lambda i: io.BufferedReader(io.BytesIO(b"b")),
    lambda i: decimal.Decimal(i), lambda i: decimal.Decimal("1." + "7" * (i + 60)), lambda i: fractions.Fraction(i + 1000, 7),
    lambda i: datetime.datetime(2020, 1, 1), lambda i: datetime.date(2020, 1, 1), lambda i: datetime.timedelta(i), lambda i: datetime.time(1),
    lambda i: datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), lambda i: uuid.uuid4(),
    cell, lambda i: functools.partial(print, i), lambda i: types.SimpleNamespace(a=1), lambda i: "".join, lambda i: Plain.__init__.__get__(Slots(1)),
    lambda i: property(None), lambda i: staticmethod(print), lambda i: classmethod(print), lambda i: types.MappingProxyType({}),
    lambda i: iter([]), lambda i: iter({}), lambda i: {}.keys(), lambda i: iter(()), lambda i: enumerate([]), lambda i: zip(), lambda i: itertools.count(i),
    lambda i: map(str, []), lambda i: reversed([]), lambda i: re.compile("a%d" % i), lambda i: struct.Struct("%dib" % (i + 1)),
    suspended, framed, coro, lambda i: agenerator(i), raised, lambda i: types.ModuleType("m%d" % i),
    lambda i: compile("def f(a, b):\n  x = a + b + %d\n  return lambda: x" % i, "f%d" % i, "exec"),
    lambda i: type("T%d" % (i % 10), (), {}), lambda i: type("S", (), {"__slots__": ("a", "b")}), lambda i: Meta("M", (dict,), {}),
    Plain, shown, Slots, lambda i: Nothing(), lambda i: weakref.ref(keep_slot(i)), lambda i: contextvars.Context(), lambda i: Exception(i, None),
]


def keep_slot(i):
    keep.append(Slots(i))
    return keep[-1]


def name_of(t):
    return t.__qualname__ if t.__module__ == "builtins" else "%s.%s" % (t.__module__, t.__qualname__)


def closure(roots, old, found_all=None):
    """{name: [count, bytes]} of everything reachable whose id is not in `old`"""
    out = {}
    new = set()
    batch = roots
    while batch:
        found = []
        for o in batch:
            if id(o) in old or id(o) in new:
                continue
            new.add(id(o))
            if found_all is not None:
                found_all.append(o)
            value = out.setdefault(name_of(type(o)), [0, 0])
            value[0] += 1
            value[1] += sys.getsizeof(o)
            found.extend(gc.get_referents(o))
            if isinstance(o, dict):
                found.extend(dict.keys(o))       # str keys are not traversed
            if type(o) is types.CodeType:
                found.extend([o.co_consts, o.co_names, o.co_filename, o.co_name])
        batch = found
    return out


def main():
    before = []                  # kept, so that no new object gets an old one's id
    closure(gc.get_objects(), (), before)
    gc.collect()
    print("ready", flush=True)
    sys.stdin.readline()
    gc.disable()
    built = [[make(i) for i in range(N)] for make in KINDS]
    gc.collect()
    print(json.dumps(closure([built, keep], set(map(id, before)))), flush=True)
    gc.collect()
    sys.stdin.readline()
    for kind in built:
        for o in kind:
            if type(o) is types.CoroutineType:
                o.close()


if __name__ == "__main__":
    main()
