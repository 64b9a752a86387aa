"""Builds objects of every built-in type in many shapes, and tells what a census must then see more.

{"do": "build", "groups": [NAME, ..], "n": N} answers {"types": {name: [count, bytes]}}: what the objects
of these groups, and everything new that they reach, add to the heap by sys.getsizeof. The program holds
them until {"do": "drop"}. {"do": "warm", ..} builds and forgets them.
"""
import gc
import importlib.util

import dialogue
import oracle
import shapes
import shapes_more

GROUPS = {}
GROUPS.update(shapes.GROUPS)
GROUPS.update(shapes_more.GROUPS)
if importlib.util.find_spec("numpy"):
    import shapes_numpy
    GROUPS.update(shapes_numpy.GROUPS)

HELD = [None]
KNOWN = [None]  # ids from before; in no local variable, where a group's frames would reach it


def warm(groups, n):
    """What a first use leaves behind in caches is no part of the group."""
    for group in groups:
        GROUPS[group](n)
    return {}


def build(groups, n):
    KNOWN[0] = set(oracle.closure(gc.get_objects()))
    HELD[0] = [GROUPS[group](n) for group in groups]
    try:
        return {"types": oracle.tally(oracle.closure(HELD, KNOWN[0]).values())}
    finally:
        KNOWN[0] = None


def drop():
    HELD[0] = None
    return {}


def whole():
    return {"types": oracle.whole_heap()}


if __name__ == "__main__":
    whole()  # code objects keep what they were asked for
    dialogue.serve({"warm": warm, "build": build, "drop": drop, "whole": whole},
                   groups=sorted(GROUPS))
