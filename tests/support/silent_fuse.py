"""A file system with one file, whose reader waits until the daemon is closed. Needs root.

The protocol of /dev/fuse by hand (include/uapi/linux/fuse.h): who maps the file and touches nothing
of it notices nothing.
"""
import ctypes
import errno
import os
import struct
import threading

LOOKUP, GETATTR, OPEN, READ, INIT = 1, 3, 14, 15, 26
MNT_FORCE, MNT_DETACH = 1, 2
FILE_BYTES = 1 << 16


def _attributes(node):
    mode = 0o40755 if node == 1 else 0o100644
    return struct.pack("<6Q10I", node, FILE_BYTES, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class SilentFuse:
    def __init__(self, folder):
        self.folder = str(folder)
        self.path = os.path.join(self.folder, "file")
        self.was_read = threading.Event()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0"
        if self.libc.mount(b"silent", self.folder.encode(), b"fuse", 0, options.encode()) != 0:
            error = ctypes.get_errno()
            os.close(self.device)
            raise OSError(error, os.strerror(error))
        self.daemon = threading.Thread(target=self._serve, daemon=True)
        self.daemon.start()

    def _answer(self, operation, node):
        if operation == INIT:
            return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, *[0] * 8)
        if operation == LOOKUP:
            return struct.pack("<4Q2I", 2, 0, 1, 1, 0, 0) + _attributes(2)
        if operation == GETATTR:
            return struct.pack("<Q2I", 1, 0, 0) + _attributes(node)
        return struct.pack("<Q2I", 1, 0, 0) if operation == OPEN else None

    def _serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 17)
            except OSError:
                return  # unmounted
            _, operation, unique, node = struct.unpack_from("<2I2Q", request)
            if operation == READ:
                self.was_read.set()
                continue
            body = self._answer(operation, node)
            head = struct.pack("<IiQ", 16 + len(body or b""), 0 if body else -errno.ENOSYS, unique)
            try:
                os.write(self.device, head + (body or b""))
            except OSError:
                pass  # a request that wants no answer

    def close(self):
        """Who waits is woken with an error."""
        self.libc.umount2(self.folder.encode(), MNT_FORCE)  # aborts the requests
        self.libc.umount2(self.folder.encode(), MNT_DETACH)
        os.close(self.device)
