"""How the test targets talk: a line of JSON in, a line of JSON out; the first line out says "ready".

The dialogue must not show up in a census that compares before and after: everything that it makes is
gone when the answer is out, and what Python keeps after a first use is made by a first exchange of
which no test asks anything.
"""
import gc
import json
import os
import sys


def answer(document):
    os.write(1, (json.dumps(document) + "\n").encode())


def commands():
    """Commands until the end of input; collects garbage before it waits, so that waiting is quiet."""
    rest = b""
    while True:
        if gc.isenabled():
            gc.collect()
        piece = os.read(0, 400)
        if not piece:
            return
        rest += piece
        while b"\n" in rest:
            line, _, rest = rest.partition(b"\n")
            command = json.loads(line)
            del line, piece
            yield command
            del command
            piece = None


def serve(handlers, **facts):
    """Answer each command {"do": NAME, ...} with handlers[NAME](**rest) until "quit"."""
    answer(dict(facts, ready=True, pid=os.getpid(), version=sys.version.split()[0]))
    for command in commands():
        name = command.pop("do")
        if name == "quit":
            break
        answer(handlers[name](**command))
        del command, name
    os._exit(0)
