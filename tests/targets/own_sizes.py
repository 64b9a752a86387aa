"""Prints, as JSON, the types of the standard library that have a __sizeof__ of their own."""
import importlib
import json
import pkgutil
import sys
import warnings

LEFT_OUT = ("antigravity", "this", "idlelib", "turtle", "turtledemo", "tkinter", "lib2to3", "pip", "setuptools",
            "__main__", "ensurepip")
INSIDE = ("xml.etree.ElementTree", "asyncio", "concurrent.futures", "multiprocessing.shared_memory", "ctypes.util",
          "json.decoder", "importlib.metadata", "collections.abc", "urllib.request", "string.templatelib")


def modules():
    known = getattr(sys, "stdlib_module_names", ())  # 3.10
    yield from known or {found.name for found in pkgutil.iter_modules()} | set(sys.builtin_module_names)
    yield from INSIDE


def classes():
    found, waiting = set(), [object]
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found.add(cls)
            waiting += type.__subclasses__(cls)
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name in modules():
        if name not in LEFT_OUT and not name.startswith(("test", "_test", "_tkinter")):
            try:
                importlib.import_module(name)
            except BaseException:  # of another system, or not built
                pass
    print(json.dumps(sorted("%s.%s" % (cls.__module__, cls.__qualname__) for cls in classes()
                            if "__sizeof__" in cls.__dict__)))
