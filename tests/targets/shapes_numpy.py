"""numpy's arrays, as in shapes.py; used when the interpreter has numpy."""
import numpy

GROUPS = {}


def group(function):
    GROUPS[function.__name__] = function
    return function


@group
def ndarrays(n):
    return [numpy.zeros(i % 500) for i in range(n)] + [numpy.arange(12).reshape(3, 4) for _ in range(n)]


@group
def ndarray_views(n):
    """Views own no data."""
    whole = numpy.zeros(10000, dtype="i4")
    return [whole] + [whole[i:i + 10] for i in range(n)] + [whole.reshape(100, 100).T for _ in range(n)]


@group
def numpy_scalars(n):
    return [numpy.float64(i) for i in range(n)] + [numpy.int32(i) for i in range(n)]
