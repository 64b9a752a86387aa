"""An extension that forgets PyMem_Free: memory of pymalloc that is no object.

Verdict: native
"""
import ctypes

allocate = ctypes.pythonapi.PyMem_Malloc
allocate.restype = ctypes.c_void_p
allocate.argtypes = [ctypes.c_size_t]


def run(n):
    for _ in range(8 * n):
        ctypes.memset(allocate(400), 0x55, 400)
