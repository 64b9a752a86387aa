"""numpy's arrays, as in shapes.py; used when the interpreter has numpy."""
import numpy

GROUPS = {}


def group(function):
    GROUPS[function.__name__] = function
    return function


@group
def ndarrays(n):
    bases = [numpy.arange(12) for _ in range(n)]  # an array leads to its base in no way that we see
    return [numpy.zeros(i % 500) for i in range(n)] + [(base, base.reshape(3, 4)) for base in bases]


@group
def ndarray_views(n):
    """Views own no data."""
    whole = numpy.zeros(10000, dtype="i4")
    return [whole] + [whole[i:i + 10] for i in range(n)] + [whole.reshape(100, 100).T for _ in range(n)]


@group
def numpy_scalars(n):
    kinds = (numpy.float64, numpy.int32, numpy.float16, numpy.int8, numpy.bool_, numpy.complex128,
             numpy.longdouble, numpy.uint64)
    return [kind(i % 100) for kind in kinds for i in range(n)] + [
        made for i in range(n) for made in (numpy.datetime64(i, "s"), numpy.timedelta64(i, "D"), numpy.bytes_(b"b" * i),
                                            numpy.str_("s" * i), numpy.void(b"v" * (1 + i)))]
