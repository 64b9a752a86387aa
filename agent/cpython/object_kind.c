#include "object_kind.h"

#include "layout.h"

/* A flag of the type says so, whatever its name. */
static const struct {
    uint64_t flag;
    enum object_kind kind;
} flagged[] = {
    {TYPE_INT, KIND_INT},        {TYPE_STR, KIND_STR},   {TYPE_LIST, KIND_LIST},
    {TYPE_DICT_TYPE, KIND_DICT}, {TYPE_TYPE, KIND_TYPE},
};

static const struct {
    const char *name;
    enum object_kind kind;
} named[] = {
    {"set", KIND_SET},
    {"frozenset", KIND_SET},
    {"frozendict", KIND_DICT},
    {"StgDict", KIND_STG_DICT},
    {"_ctypes.CType_Type", KIND_CTYPE},
    {"bytearray", KIND_BYTEARRAY},
    {"collections.deque", KIND_DEQUE},
    {"collections.OrderedDict", KIND_ORDERED_DICT},
    {"code", KIND_CODE},
    {"frame", KIND_FRAME},
    {"generator", KIND_GENERATOR},
    {"coroutine", KIND_GENERATOR},
    {"async_generator", KIND_GENERATOR},
    {"array.array", KIND_ARRAY},
    {"_io.BytesIO", KIND_BYTES_IO},
    {"_io.BufferedReader", KIND_BUFFERED_IO},
    {"_io.BufferedWriter", KIND_BUFFERED_IO},
    {"_io.BufferedRandom", KIND_BUFFERED_IO},
    {"decimal.Decimal", KIND_DECIMAL},
    {"_struct.Struct", KIND_STRUCT},
    {"Struct", KIND_STRUCT}, /* in 3.8 */
    {"datetime.time", KIND_NAIVE_TIME},
    {"datetime.datetime", KIND_NAIVE_TIME},
    {"xml.etree.ElementTree.Element", KIND_ELEMENT},
    {"numpy.ndarray", KIND_NDARRAY},
    {"numpy.bool", KIND_SCALAR_1},
    {"numpy.bool_", KIND_SCALAR_1},
    {"numpy.int8", KIND_SCALAR_1},
    {"numpy.uint8", KIND_SCALAR_1},
    {"numpy.int16", KIND_SCALAR_2},
    {"numpy.uint16", KIND_SCALAR_2},
    {"numpy.float16", KIND_SCALAR_2},
    {"numpy.int32", KIND_SCALAR_4},
    {"numpy.uint32", KIND_SCALAR_4},
    {"numpy.float32", KIND_SCALAR_4},
    {"numpy.int64", KIND_SCALAR_8},
    {"numpy.uint64", KIND_SCALAR_8},
    {"numpy.longlong", KIND_SCALAR_8},
    {"numpy.ulonglong", KIND_SCALAR_8},
    {"numpy.float64", KIND_SCALAR_8},
    {"numpy.complex64", KIND_SCALAR_8},
    {"numpy.datetime64", KIND_SCALAR_8},
    {"numpy.timedelta64", KIND_SCALAR_8},
    {"numpy.bytes_", KIND_SCALAR_SIZED},
    {"numpy.void", KIND_SCALAR_SIZED},
    {"numpy.complex128", KIND_SCALAR_16},
    {"numpy.longdouble", KIND_SCALAR_16},
    {"numpy.float128", KIND_SCALAR_16},
    {"numpy.clongdouble", KIND_SCALAR_32},
    {"numpy.complex256", KIND_SCALAR_32},
    {"itertools.product", KIND_PRODUCT},
    {"itertools.combinations", KIND_COMBINATIONS},
    {"itertools.combinations_with_replacement", KIND_COMBINATIONS},
    {"itertools.permutations", KIND_PERMUTATIONS},
    {"_pickle.Pickler", KIND_PICKLER},
    {"_pickle.Unpickler", KIND_UNPICKLER},
    {"_queue.SimpleQueue", KIND_QUEUE},
};

enum object_kind object_kind_of(const char *name, uint64_t flags, int64_t item_size,
                                enum object_kind base)
{
    for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
        if (strcmp(name, named[i].name) == 0)
            return named[i].kind;
    }
    if (base > KIND_VARIABLE)
        return base;
    for (size_t i = 0; i < ARRAY_SIZE(flagged); i++) {
        if (flags & flagged[i].flag)
            return flagged[i].kind;
    }
    return item_size > 0 ? KIND_VARIABLE : KIND_PLAIN;
}
