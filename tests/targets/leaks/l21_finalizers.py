"""weakref.finalize on an object that lives for ever: its arguments live as long.

Verdict: objects l21_finalizers.Upload | weakref.finalize | weakref.finalize._Info
"""
import weakref


class Server:
    pass


class Upload:
    def __init__(self):
        self.parts = bytearray(40)


server = Server()


def run(n):
    for _ in range(n):
        weakref.finalize(server, Upload.__init__, Upload())
