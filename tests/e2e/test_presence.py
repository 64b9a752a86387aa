"""No page of a process becomes present because it is looked at."""
import ctypes
import os
import struct

import pytest
import pythons
from target import Target, census

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
