"""A library that takes and returns memory of its own, never more than 20 blocks at a time.

Verdict: none
"""
import collections
import ctypes

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
blocks = collections.deque()


def run(n):
    for _ in range(n):
        block = libc.malloc(65536)
        libc.memset(block, 1, 65536)
        blocks.append(block)
    while len(blocks) > 20:
        libc.free(blocks.popleft())
