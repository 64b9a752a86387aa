#!/usr/bin/env python3
"""Writes the first corpus of every fuzz driver: small inputs that are good, or nearly.

A file's name is the start of its bytes' SHA-1, so that writing it again changes nothing. Files that
are not of this script were findings, or reached code that no other file reaches: keep them.
"""
import hashlib
import pathlib
import random
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


# ---- snapshot bodies: the size of each in two bytes before it ------------------------------------

def zigzag(value):
    return varint((value << 1 if value >= 0 else (-value << 1) - 1) & (2 ** 64 - 1))


def keyframe(*values):
    return b"\x10" + varint(len(values)) + b"".join(varint(n) for pair in values for n in pair)


def delta(types, *entries):
    return b"\x12" + varint(types) + b"".join(
        varint(gap * 2 + (residual != 0)) + zigzag(change) + (zigzag(residual) if residual else b"")
        for gap, change, residual in entries)


def bodies(*items):
    return b"".join(struct.pack("<H", len(item)) + item for item in items)


def snapshots():
    first = keyframe((3, 300), (0, 0), (1000, 56000))
    yield bodies(keyframe())
    yield bodies(first, delta(3, (0, 1, 0), (1, -900, 0)))
    yield bodies(first, delta(5, (3, 7, 448), (0, 1, 0)), delta(5, (0, -3, 0), (2, 0, -64)))
    yield bodies(keyframe((1 << 48, 1 << 56)), delta(1, (0, -(1 << 48), 0)), delta(1, (0, 1, 1)))
    yield bodies(first, delta(2, (0, 1, 0)), delta(3), keyframe((1, 2)))
    yield bodies(first, delta(3, (0, 0, 0)), b"\x12\x03\x80\x00\x02\x00", b"\x12\x03\x03\x02\x00", b"\x11", b"\x13", b"\x10\x81")
    yield bodies(first, b"\x11\x03\x00\x02\x00\x01\x87\x0e\x05")
    yield bodies(keyframe(*[(i, i * 64) for i in range(400)]), delta(500, (499, 1, 64)))


# ---- chunks: how many snapshots, then process numbers and each type's changes, sized --------------

def series(*values):
    """What the first is, and the change to each that follows; a 0 and how often more."""
    out, last, run = b"", 0, 0
    for value in (*values, None):
        if value == last:
            run += 1
            continue
        out += b"\0" + varint(run - 1) if run else b""
        out, run = (out + zigzag(value - last), 0) if value is not None else (out, 0)
        last = value
    return varint(len(out)) + out


def changes(*entries):
    return b"".join(varint(skipped * 2 + (residual != 0)) + zigzag(change) + (zigzag(residual) if residual else b"")
                    for skipped, change, residual in entries)


def chunks():
    def one(types, *types_changes, sequences=range(1, 6), counts=None):
        count = len(sequences)
        process = series(*sequences) + series(*(counts or [types] * count))
        process += b"".join(series(*(n * i for i in range(count))) for n in range(10))
        return bytes([count]) + bodies(process, *types_changes)

    yield one(0)
    yield one(2, changes((0, 1, 0), (1, -1, 7)), b"")
    yield one(3, b"", changes((0, 5, 0), (0, 5, 0), (0, 5, -3), (0, -15, 0)), changes((3, 1, 1000)))
    yield one(3, b"", b"", changes((0, 1, 0)), counts=[1, 3, 3, 2, 3])
    yield one(1, changes((9, 1, 0)))
    yield one(1, changes((0, 1 << 50, 0)))
    yield one(1, b"\x80\x80", sequences=[5, 5, 9])
    yield one(1, b"", counts=[9, 9, 9, 9, 9])
    yield one(2, b"", b"")[:-30]
    yield from chunks_of_stretches()


def loose(first, *entries):
    """first: count, unit, and what it leaves of the bytes."""
    count, unit, residual = first
    head = varint(count) + varint(unit * 2 + (residual != 0)) + (zigzag(residual) if residual else b"")
    return head + (b"\0" + changes(*entries) if entries else b"")


def packed(first, widths, entries, base=0, steps=(1, 1)):
    """entries: skip, difference and residual, each as the field says it."""
    head = 0x80 | (base != 0) << 6 | (steps[0] != 1) << 5 | (steps[1] != 1) << 4 | widths[0]
    bits, escapes = "", b""
    for entry in entries:
        for width, value in zip(widths, entry):
            most = (1 << width) - 1
            bits += format(min(value, most), f"0{width}b") if width else ""
            escapes += varint(value) if width and value >= most else b""
    bits += "0" * (-len(bits) % 8)
    out = loose(first) + bytes([head, widths[1], widths[2]]) + varint(len(entries))
    out += (zigzag(base) if base else b"") + b"".join(varint(step) for step in steps if step != 1)
    return out + int(bits or "0", 2).to_bytes(len(bits) // 8, "big") + escapes


def sized(*parts):
    return b"".join(varint(len(part)) + part for part in parts)


def chunks_of_stretches():
    def one(*groups, snapshots=5, times=None, pairs=None, types=2):
        if times is None:
            times = packed((1, 0, 12), (0, 0, 6), [(0, 0, 40 + i) for i in range(snapshots - 1)], base=1)
        pairs = pairs or [loose((i, 2, 0)) for i in range(5)] + [loose((types, 0, 0))]
        return b"\0" + bodies(varint(snapshots) + times, sized(*pairs), *groups)

    busy = packed((100, 48, 0), (0, 7, 0), [(0, 5, 0), (0, 200, 0), (0, 8, 0), (0, 1, 0)])
    sizes = packed((100, 48, 4096), (2, 3, 4), [(1, 2, 5), (0, 3, 99)], steps=(2, 8))
    yield one(sized(busy, sizes))
    yield one(sized(b"", loose((7, 56, 0), (0, 1, 0), (1, -1, 7))))
    yield one(sized(*[busy] * 16), sized(sizes, b""), types=18)
    yield one(sized(*[b""] * 17), types=17)
    yield one(sized(busy), sized(busy))
    yield one(sized(busy)[:-2], types=1)
    yield one(sized(packed((3, 0, 0), (0, 0, 0), [(0, 0, 0)] * 9, base=1), b""))
    yield one(sized(loose((1 << 50, 0, 0)), b""))
    yield one(sized(busy, sizes), pairs=[packed((9, 4096, 0), (1, 5, 5), [(0, 3, 2), (1, 40, 0)], base=-4096)] * 5
              + [loose((1, 0, 0), (2, 1, 0))])
    yield one(sized(busy), snapshots=300, types=1,
              times=packed((1, 60, 0), (0, 0, 0), [(0, 0, 0)] * 299, base=1))
    yield one(types=0)
    yield one(sized(busy), times=loose((1, 1, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0)), types=1)
    yield one(sized(busy), times=loose((1, 1, 0)), types=1)


# ---- protobuf: the number of the descriptor before it --------------------------------------------

def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (2 ** 64 - 1))
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(**fields):
    """message(_1=..., _2=[...]): a list is a repeated field."""
    out = b""
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            out += field(int(name[1:]), item)
    return out


BODY = keyframe((3, 300), (5, 2500))
AGENT_ID = bytes(range(16))
HELLO = message(_1=0, _2=message(_1=1, _2=AGENT_ID, _3="0.1.0", _4="node-1"))
STARTED = message(_3=message(
    _1=1, _2=AGENT_ID[::-1], _3="shop", _5="v2", _6="prod", _7="node-1", _11=4711, _12="cpython",
    _13="3.11.2", _14=1795341600000, _15=[message(_1="team", _2="a"), message(_1="tier", _2="b")]))
TYPES = message(_4=message(_1=1, _2=0, _3=["str", "shop.Cart"]))
SNAPSHOT = message(_1=1795341600000 * 1024 + 1, _5=message(
    _1=1, _2=1795341601000, _4=BODY, _5=1 << 24, _7=1 << 25, _8=1 << 28, _9=12, _11=10000))
CHANGE = message(_1=1795341600000 * 1024 + 2, _5=message(
    _1=1, _2=1795341602000, _3=1795341600000 * 1024 + 1, _4=delta(2, (1, 4, 0))))
ENDED = message(_1=1795341600000 * 1024 + 3, _6=message(_1=1, _2=1795341603000, _3=2))


def wires():
    service = message(_1="shop", _2="prod", _3="eu")
    for item in (HELLO, STARTED, TYPES, SNAPSHOT, CHANGE, ENDED, b"", HELLO + STARTED, STARTED * 3):
        yield b"\0" + item
    yield b"\x80" + STARTED
    yield b"\0" + message(_99="unknown", _3=message(_3=b"\xff\xfe", _15=b""))
    for item in (message(_1=message(_1=1, _2="0.1.0", _3=77)), message(_2=message(_1=5)),
                 message(_3=message(_1=5, _2="no")), message(_4=message(_1=1)),
                 message(_5=message(_1=1000))):
        yield b"\1" + item
    for number, item in enumerate((
            message(_1="prod"),
            message(_1=[message(_1="shop", _4="v2", _5=2, _7=10, _8=640, _9=1)] * 2),
            message(_1=service),
            message(_1=message(_1="v1", _2=1, _3=2, _6=10, _8=3.5)),
            message(_1=service, _2=2, _3=10, _4="v2"),
            message(_1="v2", _2=1, _3=[message(_1="str", _2=1, _4=0.5)]),
            message(_1=service, _2="str", _3=1, _4=2, _6=1, _8="00" * 16),
            message(_1=1000, _2=[message(_1=1, _2=2, _3=3), message(_5="ab")]),
            message(_1=service, _2="v1", _3="v2", _5=3),
            message(_1=1, _4=[message(_1="str", _2=1.0, _9=-2.5)]),
            message(_1=service),
            message(_1=[message(_1="shop", _4="shop.Cart", _14=["dict", "list"])])), 2):
        yield bytes([number]) + item


def sessions():
    """What the database knows, and packed messages with the size of each before it."""
    stream = (HELLO, STARTED, TYPES, SNAPSHOT, CHANGE, ENDED)
    ms, sequence = 1795341600000, 1795341600000 * 1024
    for known in (0, 1, 3, 4, 16, 17):
        yield bytes([known]) + bodies(*stream)
    more = message(_4=message(_1=1, _2=2, _3=["dict", "list"]))
    grown = message(_1=sequence + 3, _5=message(
        _1=1, _2=ms, _3=sequence + 2, _4=delta(4, (0, 1, 0), (1, 5, 320)), _11=9900))
    based = message(_1=sequence + 1, _5=message(_1=1, _2=ms, _3=5, _4=delta(2, (1, 7, 0))))
    yield b"\0" + bodies(HELLO, STARTED, TYPES, SNAPSHOT, CHANGE, more, grown, TYPES, more)
    shortened = [message(_1=sequence + 2 + i, _5=message(_1=1, _4=delta(2, (0, 1, 0)), _20=distance, _21=changes))
                 for i, (distance, changes) in enumerate(((1, b"\2\4\1"), (1, b""), (9, b"\2"), (1, b"\1" * 16)))]
    yield b"\0" + bodies(HELLO, STARTED, TYPES, SNAPSHOT, *shortened)
    yield b"\1" + bodies(HELLO, STARTED, TYPES, *shortened, SNAPSHOT)
    yield b"\1" + bodies(HELLO, STARTED, message(_4=message(_1=1, _3=["str", "int"])), based, more)
    yield b"\1" + bodies(HELLO, STARTED, message(_4=message(_1=1, _3=["shop.Cart", "str"])), based)
    yield b"\0" + bodies(HELLO, STARTED, SNAPSHOT, CHANGE, TYPES)
    yield b"\0" + bodies(*stream, STARTED, TYPES, message(_1=sequence + 9, _5=message(
        _1=1, _2=ms, _4=BODY)), message(_1=sequence + 10, _99="new"))
    two = STARTED.replace(b"\x08\x01\x12\x10\x0f", b"\x08\x02\x12\x10\x0e")
    yield b"\0" + bodies(HELLO, STARTED, two, TYPES, SNAPSHOT, SNAPSHOT)
    small = message(_3=message(_1=1, _2=AGENT_ID, _3="shop"))
    yield b"\10" + bodies(HELLO, STARTED, small)
    yield b"\10" + bodies(HELLO, small, TYPES, SNAPSHOT, CHANGE, grown, ENDED, STARTED)
    yield b"\0" + bodies(HELLO, STARTED, message(_4=message(_1=1, _3=["a", "a"])))
    yield b"\0" + bodies(HELLO, STARTED, message(_4=message(_1=1, _3=["x" * 513])))
    yield b"\0" + bodies(HELLO, HELLO)
    for time in (-(1 << 63), (1 << 63) - 1):
        yield b"\0" + bodies(HELLO, STARTED, TYPES, message(_1=sequence + 1, _5=message(
            _1=1, _2=time, _4=BODY)), message(_1=sequence + 2, _6=message(_1=1, _2=time)))
    yield b"\0" + bodies(STARTED)
    yield b"\0" + bodies(message(_2=message(_1=2, _2=AGENT_ID)))
    huge = message(_1=sequence + 1, _5=message(_1=1, _2=ms, _4=keyframe(*[(1 << 48, 1 << 56)] * 2)))
    yield b"\0" + bodies(HELLO, STARTED, TYPES, huge, SNAPSHOT)


# ---- text ------------------------------------------------------------------------------------------

def parses():
    return (b"0", b"4096", b"18446744073709551616", b"250ms", b"1.5m", b"30d", b"12MiB", b"1.5G",
            b"64k", b"1e5", b"0x10", b".5", b"36525d", b"-1", b" 5", b"9007199254740992B")


def symbols():
    return (b"heapfleet.v1.Ingest.Stream.x", b"heapfleet.v1.Snapshot", b"heapfleet.v1.EndReason.x.y",
            b"grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING", b"heapfleet/v1/query.proto",
            b"heapfleet.v1.Admin.MuteLeaks.", b"heapfleet.v1.ServiceRef.name.x", b"heapfleet.v1..")


def accesses():
    """The file, then the name of a peer."""
    digest = hashlib.sha256(b"alice").hexdigest().encode()
    for text in (b"# who\ncn:al* read\nlocal admin # us\n", b"cn:* agent shop-*,al* team\n",
                 b"sha256:" + digest + b" admin  alice\nspiffe://x/* agent *", b"san:\n",
                 b"cn:a king", b"sha256:12 read\n", b"cn:a agent", b"cn:\xff read\n\n"):
        yield struct.pack("<H", len(text)) + text + b"alice"


def configs():
    yield b"# a comment\nlisten = 127.0.0.1:4777 # more\ndsn = \"host=db # x\"\n\n"
    yield b"a=1\r\nb = \xc3\xa4 \nc=\nd = #\n"
    yield b"a = \"open\n"
    yield b"a = \"x\" y\n= 3\n[part]\na b = 1\n"
    yield b"a = x\0y\n\x1b = 1\na = \xff"
    yield b"a=" + b"x" * 9000


def options():
    return (b"-c\nlocalhost:4777\n--interval=5s\n--count\n3\nshop", b"--intervall\n5s", b"-hx",
            b"-a\nk=v\n-ak=w\n--attribute=x=y\n--\n-c", b"--spool-bytes\n1.5G\na\nb\nc\nd",
            b"--count=-1", b"-c", b"-\n--help=no", b"-a\nx\n" * 70, b"--" + b"x" * 100)


def texts():
    numbers = struct.pack("<dq", 1234.5, 86400000)
    for line in (b"str", "größe 漢字 🙂".encode(), b'"\\\t\x7f', b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf",
                 "\u202eexe\u2066\u2028".encode(), b"=1+1,\"x\"", b"a\xcc\x81" * 3, b"deploymens"):
        yield line + b"\n" + numbers
    for number in (float("nan"), float("-inf"), -1e300, 0.04, 999.6, 1e18):
        yield b"x\n" + struct.pack("<d", number)
    for number in (-(1 << 63), (1 << 63) - 1, -1, 0):
        yield b"x\n" + struct.pack("<q", number)


def jsons():
    return (b'["dict", "list"]', b' [ "\\"\\\\\\/\\b\\f\\n\\r\\t" ,"\\u00e9\\u6f22\\u0041"]', b"[]", b"{}", b"[1]",
            b'["\\ud83d\\ude42\\ud83d\\u0041\\ude42\\ud83d"]', b'["\\u00', b'["\\x"]', b'["a" "b",,"c"]',
            "größe 漢字 🙂 \x7f\x01".encode(), b"\xff\xc3", b'["a', b'["\\')


def plots():
    rising = b"".join(struct.pack("<Q", i * 60000 << 40 | i << 6) for i in range(40))
    yield b"\x50\x01v2\n" + rising
    yield b"\x78\xff" + "größe \u009b".encode() + b"\x1b[2J\n" + rising[::-1]
    yield b"\0\0\n" + struct.pack("<Q", 63)
    yield b"\x20\x07" + b"x" * 200 + b"\n" + struct.pack("<QQ", 2 ** 63, 2 ** 64 - 1)


def detections():
    def kind(base, slope, noise=0, gaps=0):
        return struct.pack("<HhBB", base, slope, noise, gaps)

    def life(choice, bins, *kinds):
        return struct.pack("<BH", choice, bins) + b"".join(kinds)

    flat, leak, falls = kind(500, 0), kind(100, 40, 4), kind(60000, -400)
    noisy, gaps = kind(1000, 3, 30), kind(100, 40, 2, 5)
    for versions in (1, 3):
        old = [life(0x31, 100, flat, flat, flat, flat)] * 3
        new = [life(0x42, 90, leak, leak, leak, flat)] * 3
        yield bytes([3, 3, versions, 6]) + b"".join(old + new)
    yield bytes([9, 2, 0, 3]) + life(0, 119, gaps, leak, noisy) * 3
    yield bytes([0, 5, 1, 8]) + life(0x25, 60, falls, noisy, leak, gaps, flat, leak) * 8
    yield bytes([255, 0, 0, 1]) + life(3, 5, leak)
    yield bytes([3, 1, 1, 4]) + life(0x12, 110, leak, gaps) * 2 + life(0x51, 20, leak, falls) * 2


STAT = (b"4711 (python3 (a) b) S 1 4711 4711 0 -1 4194304 9000 0 0 0 123 45 0 0 20 0 3 0 98765 "
        b"200000000 5000 18446744073709551615 94000000000000 94000000100000 140720000000000 0 0\n")
STATUS = (b"Name:\tpython3\nUid:\t1000\t1001\t1000\t1000\nNSpid:\t4711\t12\t1\nVmSwap:\t      16 kB\n"
          b"RssAnon:\t    8192 kB\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t2\n")
MAPS = (b"55d0c0000000-55d0c0200000 r--p 00000000 08:01 1234567      /usr/bin/python3.11\n"
        b"55d0c2000000-55d0c2100000 rw-p 00000000 00:00 0            [heap]\n"
        b"7f0000000000-7f0000021000 rw-s 00001000 00:1f 99           /dev/shm/a b (deleted)\n"
        b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]\n")


def procs():
    return (STAT, STAT.replace(b"python3 (a) b", b") S ("), b"1 (x) Z 0", STATUS,
            b"NSpid:" + b"\t99999" * 40 + b"\nRssAnon: 99999999999999999999 kB\nUid:\n", MAPS,
            b"no mapping\n" + MAPS[:60], MAPS[:80] + b"x" * 17000 + b"\n" + MAPS, b"\n\n")


ID = b"3f5e0c1b" * 8


def containers():
    return (b"0::/system.slice/docker-" + ID + b".scope\n",
            b"4:memory:/docker/" + ID + b"\n3:cpu,cpuacct:/\n0::/\n",
            b"0::/kubepods/pod1/cri-containerd-" + ID + b".scope/../x\n", b"0::/../" + ID + b"\n",
            b"7:pids,memory:/a/b/" + ID + b"f\n", b"0::/task\n", b"::::\n0:\n", b"0::task\n0::/\0\n",
            b"70 60 0:1 /var/lib/docker/containers/" + ID + b"/hostname /etc/hostname rw - ext4\n")


def resources():
    return (b"service.name=shop,service.version=v2", b"a=%41%c3%a9, b = c ,,d=",
            b"a=%4", b"a=%zz", b"a", b"=a", b"%20=x", b"a=%00", b"a=%ff", b"a=" + b"%41" * 520,
            b",".join(b"k%d=v" % i for i in range(130)),
            b",".join(b"k%d=" % i + b"x" * 512 for i in range(128)), b"a=" + b"x" * 1000)


def identities():
    resource = b"OTEL_RESOURCE_ATTRIBUTES="
    return (resource + b"service.name=shop,service.version=v2,team=a%20b,host.name=h\0\xff"
            b"python3\0-m\0shop.main\0\xff1.2.3\n",
            b"DD_SERVICE=shop\0DD_ENV=prod\0DD_VERSION=7\0\xffpython\0/app/worker.py\0--x\0",
            b"KUBERNETES_SERVICE_HOST=1\0HOSTNAME=shop-7d9c5b6f4d-x2x9z\0POD_NAMESPACE=eu\0\xff",
            b"CONTAINER_IMAGE=registry:5000/team/shop:1.4@sha256:ab\0\xffgunicorn\0shop.wsgi:app\0",
            b"PATH=/bin\0\xffgunicorn: worker [shop]\0", b"A\0\0=\0\xffcelery\0-A\0shop.tasks\0worker",
            b"OTEL_SERVICE_NAME=" + b"x" * 512 + b"  y\0\xffpython3\0-Wm\0-Imshop\0",
            b"\xffuvicorn\0--app=a\0shop", b"\xffflask\0--app=shop.web:app\0", b"\xffpython\0-c\0import x\0",
            b"\xffpython\0-X\0dev\0-\0", b"\xffpython\0shop/__main__.py\0", b"\xffuvicorn\0shop",
            b"POD_NAME=a--\0HOSTNAME=-\0\xff/\0\xff  \t\n",
            resource + b"a=" + b"x" * 131055 + b"\0DD_SERVICE=shop\0\xffpython\0",
            resource + b"a=" + b"x" * 1000 + b"\0DD_SERVICE=shop\0\xffpython\0",
            resource + b",".join(b"k%d=" % i + b"x" * 512 for i in range(128)) + b"\0\xff")


# ---- memory ----------------------------------------------------------------------------------------

def hash_gnu(name):
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xffffffff
    return value


def elf(names, base=0x400000, relocated=True, gnu=True):
    """A module of one loaded page with a dynamic section and both hash tables of one bucket."""
    strings = b"\0" + b"\0".join(names) + b"\0"
    symbols = bytes(24)
    for i, name in enumerate(names):
        symbols += struct.pack("<IBBHQQ", strings.index(name), 0x11, 0, 7, 0x1000 + 64 * i, 8)
    chain = b"".join(struct.pack("<I", hash_gnu(name) & ~1 | (i + 1 == len(names)))
                     for i, name in enumerate(names))
    gnu_hash = struct.pack("<IIIIQI", 1, 1, 1, 6, 2 ** 64 - 1, 1) + chain
    count = len(names) + 1
    sysv_hash = struct.pack("<III", 1, count, 1) + struct.pack("<I", 0) + b"".join(
        struct.pack("<I", (i + 2) % count) for i in range(len(names)))
    at, parts = 64 + 2 * 56 + 6 * 16, []
    for part in (symbols, strings, gnu_hash, sysv_hash):
        parts.append(at)
        at += len(part) + 7 & ~7
    pointers = [base + part if relocated else part for part in parts]
    dynamic = [(6, pointers[0]), (5, pointers[1])] + ([(0x6ffffef5, pointers[2])] if gnu else [])
    dynamic = (dynamic + [(4, pointers[3]), (0, 0), (0, 0)])[:6]
    out = b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    out += struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, at, at, 4096)
    out += struct.pack("<IIQQQQQQ", 2, 4, 176, 176, 176, 96, 96, 8)
    out += b"".join(struct.pack("<QQ", tag, value) for tag, value in dynamic).ljust(96, b"\0")
    for part, where in zip((symbols, strings, gnu_hash, sysv_hash), parts):
        out = out.ljust(where, b"\0") + part
    return out.ljust(at, b"\0")


def elfs():
    names = [b"PyLong_Type", b"PyType_Type", b"_PyRuntime"]
    yield elf(names)
    yield elf(names, relocated=False)
    yield elf(names, gnu=False)
    yield elf([b"printf"])
    yield elf(names)[:300]


def versions():
    text = b"3.11.7 (main, Dec 10 2026, 12:00:00) [GCC 12.2.0]"
    return (text, b"\0" * 9 + text + b"\0", b"\0003.14.0rc2 free-threading build (x, y) [Clang 18]",
            b"\0002.7.18+ (default, Jul  1 2022, 10:30:56) \n[GCC 12]", b"\0003.\0" + b"3.13.0b1 ",
            b"3.99.999 (a) [", b"\0003.1.1" + b"9" * 40 + b" () [", b"....\0003")


def censuses():
    """Which image (or 0x80 for tampering before the first look), then changes of eight bytes."""
    draw = random.Random(1)
    for image in range(5):
        yield bytes([image])
        for kind in range(image % 2, 10, 2):
            changes = b"".join(struct.pack("<B", kind) + draw.randbytes(2) + b"\0" + draw.choice(
                [draw.randbytes(1) + bytes(3), draw.randbytes(4), draw.randbytes(2) + bytes(2)])
                for _ in range(8))
            yield bytes([image | draw.choice([0, 0x80])]) + changes


def queries():
    """Which question, whether there are rollups, and its message."""
    shop, start, hour = message(_1="shop", _2="prod"), 1795338000000, 3600000
    for rolled in b"\0\1":
        for which, items in enumerate((
                (b"", message(_1="prod")),
                (message(_1=shop), message(_1=message(_1="shop")), message(_1=message(_1="shpo"))),
                (message(_1=shop, _2=2, _3=5), message(_1=shop, _4="v1")),
                tuple(message(_1=shop, _2="dict", _3=start + a * hour, _4=start + b * hour, _5=step * hour, _9=level)
                      for a, b, step, level in ((0, 48, 0, 0), (7, 40, 1, 2), (31, 33, 24, 3), (-900, 47, 0, 3),
                                                (13, 14, 0, 1))) +
                (message(_1=shop, _3=start, _6=1, _10=50), message(_1=shop, _2="str", _8="0101")),
                (message(_1=shop, _2="v0", _3="v2"), message(_1=shop, _2="v0", _3="v1", _4=hour, _5=9)),
                (b"", message(_1=shop)),
                (message(_1="192e"), message(_1=b"%s" % b"\xc2\x9b")),
                (message(_1=shop), message(_1=shop, _2="v1", _4="dict", _5=7)),
                (message(_1=shop, _3=start, _4=start + 30 * hour), message(_1=shop, _2="v1", _3=start + 5 * hour)))):
            for item in items:
                yield bytes([which, rolled]) + item


MAKERS = {
    "query": queries,
    "snapshot": snapshots, "chunk": chunks, "wire": wires, "session": sessions, "parse": parses, "options": options, "config": configs, "access": accesses,
    "reflection": symbols,
    "text": texts, "json": jsons, "plot": plots, "detect": detections,
    "proc": procs, "container": containers, "resource_list": resources, "identity": identities,
    "elf": elfs, "version": versions, "census": censuses,
}


def main():
    for name, maker in MAKERS.items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for data in maker():
            (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


if __name__ == "__main__":
    main()
