"""Objects of the core types: for each group a function that makes about n of them, in many shapes.

Values differ from anything that is interned or cached: what a group returns is new, all of it.
"""
import asyncio
import collections
import ctypes
import dataclasses
import enum
import itertools
import sys
import types
import weakref
import _codecs

GROUPS = {}


def group(function):
    GROUPS[function.__name__] = function
    return function


# ---- numbers -------------------------------------------------------------------------------------


@group
def ints(n):
    return [sign * (10_000 + i) << shift for i in range(n // 8)
            for sign in (1, -1) for shift in (0, 20, 50, 300)]


@group
def ints_small(n):
    """Cached ones: nothing but the lists."""
    return [[i % 250, 0, -1, True, False, None, ...] for i in range(n)]


@group
def floats(n):
    return [1000.5 + i for i in range(n)]


@group
def complexes(n):
    return [complex(i, 1.5) for i in range(n)]


# ---- text and bytes ------------------------------------------------------------------------------


@group
def str_ascii(n):
    return ["text-%d" % i * (1 + i % 50) for i in range(n)]


@group
def str_latin1(n):
    return ["é-%d" % i * (1 + i % 50) for i in range(n)]


@group
def str_ucs2(n):
    return ["жук-%d" % i * (1 + i % 50) for i in range(n)]


@group
def str_ucs4(n):
    return ["😀-%d" % i * (1 + i % 50) for i in range(n)]


def _cache_utf8(text):
    """C code that asks for a char * leaves the UTF-8 form behind."""
    try:
        _codecs.lookup_error(text)
    except LookupError:
        pass
    return text


@group
def str_with_utf8(n):
    return [_cache_utf8("%s-%d" % ("éжu"[i % 3], i)) for i in range(n)]


@group
def str_large(n):
    return [chr(97 + i % 20) * (3000 + 700 * i) for i in range(n // 20)]


@group
def str_joined(n):
    """Made by growing and shrinking in place, which moves strings about."""
    made = []
    for i in range(n):
        text = ""
        for k in range(i % 60):
            text += "p%d" % k
        made.append(text + "end-%d" % i)
        made.append("".join(["%d," % k for k in range(i % 40)]) + "tail%d" % i)
    return made


class Text(str):
    pass


@group
def str_subclass(n):
    return [Text("%s%d" % ("aéж😀"[i % 4], i)) for i in range(n)]


@group
def str_wchar(n):
    """Strings with a wchar_t form, which only exist up to 3.11."""
    made = ["%s-wide-%d" % ("aéж😀"[i % 4], i) for i in range(n)]
    if sys.version_info < (3, 12):
        ask = ctypes.pythonapi.PyUnicode_AsUnicode
        ask.argtypes, ask.restype = [ctypes.py_object], ctypes.c_void_p
        for text in made:
            ask(text)
    return made


@group
def bytes_(n):
    return [b"%d|" % i * (1 + i % 70) for i in range(n)]


@group
def bytearrays(n):
    made = []
    for i in range(n):
        grown = bytearray(b"%d" % i)
        for _ in range(i % 90):
            grown.append(120)
        if i % 3 == 0:
            del grown[:i % 7]
        made.append(grown)
        made.append(bytearray(i % 1200))
    return made + [bytearray() for _ in range(n // 4)]


@group
def memoryviews(n):
    return [memoryview(b"view %d" % i)[1:] for i in range(n)] + \
           [memoryview(bytearray(16 + i)).cast("i" if i % 4 == 0 else "B") for i in range(n)]


# ---- containers ----------------------------------------------------------------------------------


@group
def lists(n):
    made = []
    for i in range(n):
        grown = []
        for _ in range(i % 40):
            grown.append(None)
        made += [[], [None], [None] * (i % 33), grown, list(range(5))]
        shrunk = [None] * 50
        del shrunk[i % 50:]
        emptied = [None] * 9
        emptied.clear()
        made += [shrunk, emptied, sorted([3, 1, 2]), [None for _ in range(i % 5)]]
    return made


@group
def tuples(n):
    return [(None,) * (1 + i % 30) for i in range(n)] + [(i % 250, "k", None) for i in range(n)]


@group
def tuples_resized(n):
    """tuple() of an iterator without a length shrinks what it allocated."""
    return [tuple(None for _ in range(1 + i % 40)) for i in range(n)]


Pair = collections.namedtuple("Pair", "left right")


@group
def namedtuples(n):
    return [Pair(None, i % 250) for i in range(n)]


@group
def dicts(n):
    made = []
    for i in range(n):
        made += [{}, dict(), {"a": 1}, {"a": 1, "b": 2, "c": 3}, {7: None}, {None: 1, "x": 2},
                 dict.fromkeys("abcdefghij"[:i % 11]), dict.fromkeys(range(i % 60)),
                 dict(a=1, b=2), {"a": 1, **{"b": 2}}]
        emptied = dict.fromkeys("pqrstuvwxyz")
        emptied.clear()
        deleted = dict.fromkeys(range(40))
        for key in range(i % 40):
            del deleted[key]
        mixed = {"one": 1}
        mixed[1] = 2
        popped = {"p": 1}
        popped.popitem()
        made += [emptied, deleted, mixed, popped, deleted.copy(), dict(mixed)]
    return made


@group
def dicts_large(n):
    return [dict.fromkeys(range(10_000, 10_200 + 37 * i)) for i in range(n // 10)] + \
           [dict.fromkeys(map(chr, range(300 + i, 900 + 2 * i))) for i in range(n // 100)]


class Named(dict):
    pass


@group
def dict_subclass(n):
    return [Named(a=1, b=i % 200) for i in range(n)]


@group
def sets(n):
    made = []
    for i in range(n):
        grown = set()
        for k in range(i % 50):
            grown.add(k)
        emptied = set(range(20))
        emptied.clear()
        made += [set(), {1}, {1, 2, 3, 4}, grown, emptied, set(range(i % 200))]
    return made


@group
def frozensets(n):
    return [frozenset(range(1 + i % 120)) for i in range(n)]


@group
def deques(n):
    made = []
    for i in range(n):
        rotated = collections.deque(range(70), maxlen=100)
        for _ in range(i % 60):
            rotated.popleft()
        left = collections.deque()
        left.extendleft([None] * (i % 200))
        made += [collections.deque(), collections.deque([None] * (i % 150)), rotated, left]
    return made


@group
def ordered_dicts(n):
    made = []
    for i in range(n):
        first = collections.OrderedDict.fromkeys(range(i % 50))
        second = collections.OrderedDict(a=1, b=2)
        del second["a"]
        made += [first, second, collections.OrderedDict()]
    return made


@group
def default_dicts(n):
    made = [collections.defaultdict(list, {k: None for k in range(i % 20)}) for i in range(n)]
    return made + [collections.Counter("abca") for _ in range(n)]


@group
def ranges_slices(n):
    return [range(10_000 + i) for i in range(n)] + [slice(10_000 + i, None, 20_000 + i) for i in range(n)]


@group
def chain_user_containers(n):
    return [collections.ChainMap({"a": i % 200}) for i in range(n)] + \
           [collections.UserDict(a=1) for i in range(n)] + \
           [types.SimpleNamespace(x=1, y=2) for i in range(n)]


# ---- instances -----------------------------------------------------------------------------------


class Plain:
    def __init__(self, i):
        self.first, self.second, self.third = i % 200, None, "x"


class Grown:
    pass


ATTRIBUTES = ["attribute_%d" % i for i in range(90)]


class Slots:
    __slots__ = ("a", "b", "c")


class SlotsRef:
    __slots__ = ("a", "__weakref__")


class SlotsDict:
    __slots__ = ("a", "__dict__")


class Empty:
    pass


class Int(int):
    pass


class Float(float):
    pass


class Tuple(tuple):
    pass


class List(list):
    pass


class Set(set):
    pass


class Bytes(bytes):
    pass


class Base:
    def __init__(self):
        self.base = None


class Derived(Base):
    def __init__(self):
        super().__init__()
        self.own = None


class WithMeta(metaclass=type("Meta", (type,), {})):
    pass


@group
def instances(n):
    return [Plain(i) for i in range(n)] + [Empty() for _ in range(n)] + [Derived() for _ in range(n)] + \
           [WithMeta() for _ in range(n)] + [object() for _ in range(n)]


@group
def instances_with_dict(n):
    """Their __dict__ was looked at, so that it is an object."""
    made = [Plain(i) for i in range(n)]
    for thing in made:
        thing.__dict__  # noqa: B018
    return made


@group
def instances_grown(n):
    """More attributes, and in other orders, than a shared table of keys takes."""
    made = []
    for i in range(n):
        thing = Grown()
        for k in range(i % 45):
            setattr(thing, ATTRIBUTES[(k * 7 + i) % 90], None)
        made.append(thing)
    return made


@group
def instances_dict_replaced(n):
    made = [Plain(i) for i in range(n)]
    for thing in made:
        thing.__dict__ = {"first": None}
    return made


@group
def instances_attribute_deleted(n):
    made = [Plain(i) for i in range(n)]
    for thing in made:
        del thing.second
    return made


@group
def slots(n):
    made = [cls() for cls in (Slots, SlotsRef, SlotsDict) for _ in range(n)]
    for thing in made[2 * n:]:
        thing.extra = None
    return made


@group
def subclasses(n):
    made = []
    for i in range(n):
        made += [Int(10_000 + i), Float(i + 0.5), Tuple((None,) * (i % 9)), List([None] * (i % 9)),
                 Set(range(i % 20)), Bytes(b"b" * (i % 30))]
    for thing in made[::2]:
        thing.note = None
    return made


@dataclasses.dataclass
class Order:
    number: int
    lines: list = dataclasses.field(default_factory=list)


@group
def dataclass_instances(n):
    return [Order(i % 200) for i in range(n)]


# ---- classes -------------------------------------------------------------------------------------


@group
def classes(n):
    made = []
    for i in range(n // 10):
        class Local:
            def method(self):
                return self

        class Slotted:
            __slots__ = ("a", "b")
        made += [Local, Slotted, type("Made", (Base,), {"x": None})]
        if i % 2:
            for k in range(i % 12):
                thing = Local()
                setattr(thing, ATTRIBUTES[k], None)
    return made


@group
def enums(n):
    return [enum.Enum("Color", "RED GREEN BLUE") for _ in range(n // 50)] + \
           [enum.IntFlag("Flag", "A B") for _ in range(n // 50)]


# ---- functions and frames ------------------------------------------------------------------------


def _closure_over(value):
    def inner(argument=None, *, key=None):
        return value, argument, key
    return inner


@group
def functions(n):
    return [_closure_over(None) for _ in range(n)] + [lambda: None for _ in range(n)]


@group
def methods(n):
    thing = Base()
    made = [thing.__init__ for _ in range(n)] + [[].append for _ in range(n)]
    return made + [[].__len__ for _ in range(n)] + [classmethod(len) for _ in range(n)] + \
        [staticmethod(len) for _ in range(n)] + [property(len) for _ in range(n)]


@group
def cells(n):
    return [types.CellType(i % 200) for i in range(n)] + [types.CellType() for _ in range(n)]


@group
def codes(n):
    return [compile("def f(a, b=%d):\n  x = %r\n  return lambda: (a, x, [y for y in b])\n"
                    % (10_000 + i, "literal %d" % i), "file%d.py" % i, "exec") for i in range(n // 4)]


@group
def codes_run(n):
    """Code that ran is specialised in place, and its functions were called."""
    made = []
    for i in range(n // 20):
        space = {}
        exec(compile("def f(a):\n  t = 0\n  for x in range(a): t += x * 2.5\n  return t\n",
                     "run%d.py" % i, "exec"), space)
        for _ in range(30):
            space["f"](20)
        del space["__builtins__"]
        made.append(space)
    return made


def _generate(a, b=None):
    x = yield a
    yield x


async def _coroutine(a):
    await asyncio.sleep(0)
    return a


async def _async_generate(a):
    yield a
    yield a


@group
def generators(n):
    made = [_generate(None) for _ in range(n)]
    for thing in made[::3]:
        next(thing)
    for thing in made[1::3]:
        list(thing)
    return made + [(x for x in ()) for _ in range(n)]


@group
def coroutines(n):
    made = [_coroutine(None) for _ in range(n)]
    for thing in made[::2]:
        thing.send(None)
    return made + [_async_generate(None) for _ in range(n)]


@group
def frames(n):
    """Of generators that wait: their frames live on."""
    made = [_generate(None) for _ in range(n)]
    for thing in made[::2]:
        next(thing)
    return made + [thing.gi_frame for thing in made]


def _fail(depth):
    local = [depth]
    if depth:
        _fail(depth - 1)
    raise ValueError(local)


@group
def tracebacks(n):
    """Exceptions with the frames that they passed through, which have ended."""
    made = []
    for i in range(n):
        try:
            _fail(i % 4)
        except ValueError as error:
            made.append(error)
    return made


@group
def exceptions(n):
    kinds = (ValueError, KeyError, OSError, StopIteration, SystemExit, UnicodeError, ImportError,
             SyntaxError, RuntimeError)
    return [kinds[i % len(kinds)]("text %d" % i) for i in range(n)] + \
           [OSError(2, "none", "file%d" % i) for i in range(n)]


# ---- references ----------------------------------------------------------------------------------


@group
def weakrefs(n):
    things = [SlotsRef() for _ in range(n)]
    return [things, [weakref.ref(thing) for thing in things],
            [weakref.ref(thing, id) for thing in things],
            [weakref.proxy(thing) for thing in things], weakref.WeakValueDictionary(enumerate(things)),
            weakref.WeakSet(things), weakref.WeakKeyDictionary.fromkeys(things)
            if hasattr(weakref.WeakKeyDictionary, "fromkeys") else None]


@group
def proxies(n):
    return [types.MappingProxyType({}) for _ in range(n)] + [super(Derived, Derived()) for _ in range(n)]


@group
def modules(n):
    return [types.ModuleType("module%d" % i) for i in range(n)]


# ---- iterators -----------------------------------------------------------------------------------


@group
def iterators(n):
    made = []
    for i in range(n // 4):
        made += [iter([1]), iter((1,)), iter({}), iter({}.values()), iter({}.items()), {}.keys(), {}.values(),
                 {}.items(), iter({1}), iter("abc"), iter("жук"), iter(b"abc"), iter(bytearray()), iter(range(9)),
                 iter(range(2 ** 70)), enumerate([]), zip([], []), map(len, []), filter(None, []),
                 reversed([]), reversed((1, 2)), iter(int, 1), iter(collections.deque()),
                 iter(collections.OrderedDict()), reversed({}), iter(memoryview(b"m"))]
    return made


@group
def itertools_(n):
    i = itertools
    made = []
    for k in range(n // 8):
        made += [i.count(), i.count(1.5, 2), i.cycle([1]), i.repeat(None), i.repeat(None, 3), i.accumulate([1]),
                 i.chain([1], [2]), i.compress([1], [1]), i.dropwhile(None, []), i.filterfalse(None, []),
                 i.groupby([1]), i.islice([1], 2), i.starmap(pow, []), i.takewhile(None, []), *i.tee([1]),
                 i.zip_longest([1], [2]), i.product([1, 2], [3]), i.permutations(range(k % 6), 2),
                 i.combinations(range(k % 6), 2), i.combinations_with_replacement(range(k % 6), 2)]
        for made_now in made[-4:]:
            next(made_now, None)
    return made
