"""An extension that forgets Py_DECREF: objects that nothing holds and nothing frees.

Verdict: objects l23_lost_reference.Reply
"""
import ctypes

increment = ctypes.pythonapi.Py_IncRef
increment.argtypes = [ctypes.py_object]


class Reply:
    def __init__(self, number):
        self.number = number
        self.status = 200


def run(n):
    for number in range(n):
        increment(Reply(number))
