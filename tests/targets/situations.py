"""Heaps in particular states, one command each; each keeps what it made."""
import ctypes
import gc
import mmap
import os
import sys
import types

import dialogue

KEEP = []
MAPPINGS = {}


class Frozen:
    pass


class Garbage:
    pass


class Freed:
    __slots__ = ("a",)


class Interned:
    pass


def freeze(n):
    KEEP.append([Frozen() for _ in range(n)])
    gc.freeze()
    return {"frozen": gc.get_freeze_count()}


class Late:
    pass


def late(module, n):
    """As a class looks whose dict is read while it changes: its module is no str, and is one later."""
    Late.__module__ = module
    KEEP.append([Late() for _ in range(n)])
    return {}


def garbage(n):
    """Cycles that nothing reaches, which the collector has not come to yet."""
    gc.disable()
    for _ in range(n):
        thing = Garbage()
        thing.self = thing
    return {}


def collect():
    gc.enable()
    return {"collected": gc.collect()}


def free(n):
    """Dropped again: on free lists, or free for the allocator."""
    made = [Freed() for _ in range(n)]
    made.append([[None] for _ in range(n)])
    made.append([{"a": None} for _ in range(n)])
    made.append([(None, i % 200) for i in range(n)])
    made.append([float(i) for i in range(n)])
    del made
    return {}


def immortal():
    return {"refcount_of_none": sys.getrefcount(None)}


def same_names(n):
    """Classes of one name in two modules, and two of one name in different functions."""
    def first():
        class Row:
            pass
        return Row

    def second():
        class Row:
            pass
        return Row
    left = type("Row", (), {"__module__": "left"})
    right = type("Row", (), {"__module__": "right"})
    for count, cls in enumerate((first(), second(), left, right), 1):
        KEEP.append([cls() for _ in range(count * n)])
    return {}


NAMES = ["Zürich", "名前", "x" * 3000, "with space", "line\nbreak", "tab\t", "quote\"s", "back\\slash", "<b>", "a" * 511 + "é"]


def odd_names(n):
    for name in NAMES:
        cls = type(name, (), {"__module__": "odd"})
        KEEP.append([cls() for _ in range(n)])
    for module in (None, 7, "\udc80"):
        cls = type("Strange", (), {"__module__": module})
        KEEP.append([cls() for _ in range(n)])
    return {}


def many_classes(n):
    for i in range(n):
        cls = type("Class%d" % i, (), {"__slots__": ()})
        KEEP.append(cls())
    return {}


def interpreters(n):
    """A sub-interpreter that holds n objects of its own; where Python has a module for it."""
    code = ("class Inner:\n    pass\nheld = [Inner() for _ in range(%d)]\n"
            "texts = ['inner-%%d' %% i for i in range(%d)]\n" % (n, n))
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        made = module.create()
        if hasattr(module, "exec") and name == "_interpreters":
            failure = module.exec(made, code)
            assert failure is None, failure
        else:
            module.run_string(made, code)
        KEEP.append(made)
        return {"made": True}
    return {"made": False}


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


LIBC = ctypes.CDLL(None, use_errno=True)
MADV_PAGEOUT = 21
NORESERVE = 0x4000  # MAP_NORESERVE


def pages_present(region, size):
    """How many pages of a mapping this process's page tables have: /proc/self/pagemap."""
    start = ctypes.addressof(ctypes.c_char.from_buffer(region))
    with open("/proc/self/pagemap", "rb", 0) as file:
        file.seek(start // mmap.PAGESIZE * 8)
        entries = memoryview(file.read(size // mmap.PAGESIZE * 8)).cast("Q")
    return sum(entry >> 63 for entry in entries), sum(entry >> 62 & 1 for entry in entries)


def filled(*how):
    """A private mapping with every page read and, where it is nobody's file, written."""
    region = mmap.mmap(*how)
    for at in range(0, len(region), mmap.PAGESIZE):
        if how[0] < 0:
            region[at] = 1
        region[at]
    return region


def mappings(untouched, paged, file):
    """One mapping never touched, and two that were used and then paged out: to swap, if there is
    some, and to the file that it is of."""
    private = mmap.MAP_PRIVATE
    MAPPINGS["untouched"] = mmap.mmap(-1, untouched, private | mmap.MAP_ANONYMOUS)
    MAPPINGS["anonymous"] = filled(-1, paged, private | mmap.MAP_ANONYMOUS)
    with open(file, "wb+") as opened:
        opened.truncate(paged)
        os.fsync(opened.fileno())
        MAPPINGS["file"] = filled(opened.fileno(), paged, private)
    for name in ("anonymous", "file"):
        region = MAPPINGS[name]
        start = ctypes.addressof(ctypes.c_char.from_buffer(region))
        LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(paged), MADV_PAGEOUT)
    return look()


def pairs(size, spread):
    """Small numbers in front of addresses in a mapping that is there and holds nothing, all different."""
    place = mmap.mmap(-1, spread, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(place))
    step = spread // (size // 16) // 8 * 8
    words = (ctypes.c_uint64 * (size // 8))()
    for k in range(size // 16):
        words[2 * k], words[2 * k + 1] = 1, start + k * step
    for at in range(0, spread, spread // 512):
        place[at] = 1
    KEEP.append((place, words))
    return {}


def sparse(size, step):
    """A mapping larger than the machine, with a page written here and there."""
    place = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE)
    for at in range(0, size, step):
        place[at] = 1
    KEEP.append(place)
    return {"resident": resident()}


LIBC.malloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = [ctypes.c_size_t]


def native(size, blocks):
    """Memory that only C code holds, all of it written: what a leak in an extension looks like."""
    for _ in range(blocks):
        place = LIBC.malloc(size)
        ctypes.memset(place, 0x5a, size)
        KEEP.append(place)
    return {}


def huge(megabytes):
    """A few objects that have nearly all bytes of the heap, beside many small ones."""
    size = megabytes << 20
    KEEP.append([[None] * (size // 8), dict.fromkeys(range(size // 120)), bytearray(b"b" * size), b"s" * size,
                 set(range(size // 100)), "t" * size, [[i] for i in range(100_000)]])
    return {}


def fragment(size, blocks):
    """Objects of a size, of which every eighth is kept: the rest is free and cannot be given back."""
    made = [bytes(size) for _ in range(blocks)]
    KEEP.append(made[::8])
    return {}


def look():
    """Pages present and swapped of each mapping, and this process's resident bytes."""
    gc.collect()
    pages = {name: pages_present(region, len(region)) for name, region in MAPPINGS.items()}
    return {"pages": pages, "resident": resident()}


def lie(n):
    """What a census must not believe: types that are none, sizes that cannot be, tables in nowhere."""
    word = ctypes.c_uint64
    type_type = id(type)
    fakes = []

    def plant(*words):
        block = (word * max(len(words), 64))(*[value & 2 ** 64 - 1 for value in words])
        fakes.append(block)
        return ctypes.addressof(block)

    nowhere = (0x10, 0x7fff_ffff_f000, 0xffff_ffff_ffff_fff0, 0xdead_beef_0000)
    for k in range(n):
        away = nowhere[k % len(nowhere)]
        # a type object with wild sizes, names and bases: [count, type, size, name, basic, item, ..]
        front = [1, type_type, 0, away, 2 ** 62 + k, 2 ** 61, *[away] * 15, 1 << 12 | 1 << 14 | 1 << 9]
        fake = plant(*front, *[away] * 40)
        plant(1, fake, 2 ** 60, fake, fake)
        # one whose type is itself, and two that are each other's
        own = plant(1, 0, 0)
        fakes[-1][1] = own
        other = plant(1, own, 0)
        fakes[-1][1] = other
        # honest types, dishonest contents
        for cls in (list, dict, str, bytes, tuple, int, set, bytearray, type, float, types.CodeType,
                    types.FrameType, types.GeneratorType, memoryview, range):
            plant(1, id(cls), 2 ** 63 - 1, away, away, away, away, away)
            plant(1, id(cls), -2 ** 40, 2 ** 60, 2 ** 60, 2 ** 60)
            plant(2 ** 32 - 1, id(cls), *[0xffff_ffff_ffff_ffff] * 30)
            plant(1, id(cls), *[fake] * 30)
        keys = plant(1, 63 | 63 << 8 | 2 << 16, 2 ** 40, 2 ** 63, 2 ** 63)
        plant(1, id(dict), 5, 1, keys, 0)
        plant(1, id(dict), 2 ** 62, 2 ** 62, keys, keys)
        # a name that never ends, on the last bytes of a mapping
    edge = mmap.mmap(-1, 4 * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    edge[:] = b"N" * len(edge)
    at = ctypes.addressof(ctypes.c_char.from_buffer(edge)) + len(edge)
    for back in (8, 16, 24, 64, 160, 400):
        cell = (word * 2).from_address(at - back) if back >= 16 else None
        if cell is not None:
            cell[0], cell[1] = 1, id(list)
    named = plant(1, type_type, 0, at - 5, 16, 0, *[0] * 15, 1 << 12)
    plant(1, named, 0)
    KEEP.append((fakes, edge))
    return {"planted": len(fakes)}


def end():
    os._exit(0)


if __name__ == "__main__":
    dialogue.serve({function.__name__: function for function in (
        freeze, late, garbage, collect, free, immortal, same_names, odd_names, many_classes, interpreters,
        mappings, look, native, huge, fragment, pairs, sparse, lie, end)})
