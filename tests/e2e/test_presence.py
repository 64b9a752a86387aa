"""No page of a process becomes present because it is looked at."""
import ctypes
import os
import struct
import subprocess
import textwrap

import pytest
import pythons
from silent_fuse import SilentFuse
from target import AGENT, Target, census

EACH = pythons.one_per_minor()
PAGE = 4096
PROCESS_MADVISE, MADV_PAGEOUT = 440, 21
PRESENT = 1 << 63


def mappings(pid):
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            fields = line.split(None, 5)
            start, end = (int(text, 16) for text in fields[0].split("-"))
            yield start, end, fields[5].strip() if len(fields) > 5 else ""


def present_pages(pid):
    pages = set()
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        for start, end, name in mappings(pid):
            if name.startswith("[v"):
                continue
            file.seek(start // PAGE * 8)
            for i, (entry,) in enumerate(struct.iter_unpack("<Q", file.read((end - start) // PAGE * 8))):
                if entry & PRESENT:
                    pages.add(start + i * PAGE)
    return pages


def drop_file_pages(pid):
    """As the kernel does when memory is short."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.pidfd_open(pid)
    for start, end, name in mappings(pid):
        if name.startswith("/"):
            libc.syscall(PROCESS_MADVISE, handle, (ctypes.c_uint64 * 2)(start, end - start),
                         ctypes.c_size_t(1), MADV_PAGEOUT, 0)
    os.close(handle)


@pytest.mark.parametrize("python", EACH, ids=lambda python: python.name)
def test_what_was_dropped_stays_out_and_is_known_all_the_same(python):
    """The symbols, the names of types: from the file, when the process does not have them."""
    with Target(python, "situations.py") as target:
        target.ask("freeze", n=1234)
        before = census(target.pid)
        drop_file_pages(target.pid)
        dropped = present_pages(target.pid)
        after = census(target.pid)
        faulted = present_pages(target.pid) - dropped
        assert not faulted, [name for start, end, name in mappings(target.pid)
                             if any(start <= page < end for page in faulted)]
        assert set(after) == set(before)
        assert after["__main__.Frozen"][0] == 1234


# A static type's name is wherever it says: in a file that nobody will ever answer for.
LIAR = textwrap.dedent("""
    import ctypes, mmap, os, sys
    class Liar: pass
    held = [Liar() for _ in range(100)]
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, os.open(sys.argv[1], os.O_RDONLY), 0)
    flags = ctypes.c_ulong.from_address(id(Liar) + 168)
    ctypes.c_void_p.from_address(id(Liar) + 24).value = at
    flags.value &= ~(1 << 9)
    os.write(1, b"ready\\n")
    os.read(0, 1)
    os._exit(0)
""")


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/fuse"), reason="needs root and FUSE")
def test_a_file_that_nobody_answers_for_holds_nobody(tmp_path):
    """No signal ends a read of another's memory that waits for such a file."""
    try:
        fuse = SilentFuse(tmp_path)
    except OSError as error:
        pytest.skip(f"cannot mount FUSE here: {error}")
    target = subprocess.Popen([EACH[-1].path, "-c", LIAR, fuse.path], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    try:
        assert target.stdout.readline() == b"ready\n"
        with subprocess.Popen([str(AGENT), "census", str(target.pid)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as agent:
            while agent.poll() is None and not fuse.was_read.wait(0.1):
                pass
            asked = fuse.was_read.is_set()
            fuse.close()
            out, err = agent.communicate()
        assert not asked
        assert agent.returncode == 0 and "list" in out, err
    finally:
        target.kill()
        target.communicate()
