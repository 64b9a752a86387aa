"""What a census should see, told from inside the process: types, counts and sums of sys.getsizeof."""
import datetime
import gc
import re
import sys
import types


def type_name(cls):
    """As Python shows it: "str", "collections.OrderedDict", "__main__.User"."""
    module, name = type.__dict__["__module__"].__get__(cls), cls.__qualname__
    return name if module in ("builtins", None) else f"{module}.{name}"


def _code(code):
    yield from (code.co_consts, code.co_names, code.co_name, code.co_filename)
    if sys.version_info >= (3, 11):
        yield from (code.co_qualname, code.co_linetable, code.co_exceptiontable)
        for names in (code.co_varnames, code.co_cellvars, code.co_freevars):
            yield from names  # the tuples themselves are made for who asks
    if sys.version_info < (3, 11):
        yield from (code.co_varnames, code.co_freevars, code.co_cellvars, code.co_code)


# What objects hold that tp_traverse does not tell.
HELD_BESIDE = {
    types.CodeType: _code,
    range: lambda o: (o.start, o.stop, o.step),
    slice: lambda o: (o.start, o.stop, o.step),
    re.Pattern: lambda o: (o.pattern,),
    re.Match: lambda o: (o.re, o.string),
    datetime.datetime: lambda o: (o.tzinfo,),
    datetime.time: lambda o: (o.tzinfo,),
    datetime.timezone: lambda o: (o.utcoffset(None),),
}


def referents(objects):
    yield from gc.get_referents(*objects)
    for thing in objects:
        beside = HELD_BESIDE.get(type(thing))
        if beside:
            yield from beside(thing)
        elif isinstance(thing, dict):  # keys are not told when all of them are strings
            yield from dict.keys(thing)
        elif issubclass(type(thing), type):  # static types tell nothing
            yield from (thing.__mro__, thing.__bases__)
            yield from gc.get_referents(type.__dict__["__dict__"].__get__(thing))


def closure(roots, known=()):
    """Every object that `roots` reach, themselves included, whose id is not in `known`: id -> object."""
    found = {id(thing): thing for thing in roots if id(thing) not in known}
    batch = list(found.values())
    while batch:
        fresh = {}
        for start in range(0, len(batch), 5000):
            for thing in referents(batch[start:start + 5000]):
                key = id(thing)
                if key not in found and key not in known:
                    fresh[key] = thing
        found.update(fresh)
        batch = list(fresh.values())
    return found


def tally(objects):
    """{name: [count, bytes]} of these objects."""
    sums = {}
    for thing in objects:
        entry = sums.setdefault(type(thing), [0, 0])
        entry[0] += 1
        entry[1] += sys.getsizeof(thing)
    named = {}
    for cls, (count, size) in sums.items():
        entry = named.setdefault(type_name(cls), [0, 0])
        entry[0] += count
        entry[1] += size
    return named


def _variables(code):
    """A tuple like the one that a code object has for the names of its variables, and those (3.11)."""
    names = dict.fromkeys(code.co_varnames + code.co_cellvars + code.co_freevars)
    yield tuple(names)
    yield from names


def whole_heap():
    """The closure over all that the collector tracks: the oracle for a heap as a whole."""
    gc.collect()
    tracked = gc.get_objects()
    found = closure(tracked)
    found.pop(id(tracked), None)
    if sys.version_info >= (3, 11):
        codes = [thing for thing in found.values() if type(thing) is types.CodeType]
        beside = [thing for code in codes for thing in _variables(code)]
        found.update((id(thing), thing) for thing in beside if thing != ())
    return tally(found.values())
