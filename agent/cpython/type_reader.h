/*
 * Type objects of another process: is there one at an address, and how does Python show its name?
 */
#ifndef AGENT_CPYTHON_TYPE_READER_H
#define AGENT_CPYTHON_TYPE_READER_H

#include <stddef.h>

#include "layout.h"
#include "read_ahead.h"

enum {
    TYPE_NAME_BYTES_MAX = 512, /* without the final zero; a longer name is cut */
    TYPE_BASIC_SIZE_MAX = 1 << 24,
    TYPE_AHEAD_MAX = 64, /* types that are read ahead at once */
};

/* What a type object says of itself; two readings that agree in all of it are the same type. */
struct type_facts {
    addr_t metatype;
    addr_t name, base, dict;      /* tp_name, tp_base, tp_dict */
    addr_t qualname, cached_keys; /* of a heap type, else 0 */
    int64_t basic_size, item_size;
    uint64_t flags;
};

struct type_reader {
    struct read_ahead *ahead; /* the caller's; cleared whenever the process may have changed */
    const struct cpython_layout *layout;
    addr_t str_type;   /* 0: not known */
    addr_t module_key; /* the interned "__module__", once it was seen; 0: not yet */
    int lacks_module;  /* of the newest name: a heap type's dict says none, or was being changed */
};

/* Is this the address of a type that will not be asked about? */
typedef int type_known_fn(const void *user, addr_t at);

/*
 * Read ahead, in a few system calls, what the functions below will want of these addresses, and of
 * the bases and metatypes, other than known ones, of what may be types there. Says nothing about
 * whether there are types.
 */
void type_reader_ahead(struct type_reader *reader, const addr_t *types, size_t count,
                       type_known_fn *is_known, const void *user);

/* Of a heap type at `at`: want what type_reader_facts reads besides its front. */
void type_reader_want_heap(struct type_reader *reader, addr_t at);

/* Could a type have these sizes and flags? */
int type_reader_may_be_type(uint64_t flags, int64_t basic_size) MUST_CHECK;

/*
 * Read what a type object at `at` would say. Returns 0 when nothing there can be one: unreadable,
 * or sizes and flags that no type has. Whether `metatype` is one is the caller's to find out.
 */
int type_reader_facts(struct type_reader *reader, addr_t at, struct type_facts *ret) MUST_CHECK;

/*
 * The name: "str", "collections.OrderedDict", "__main__.User"; valid UTF-8. `ret` holds
 * TYPE_NAME_BYTES_MAX + 1 bytes. Returns 0 when there is none, so that it is no type.
 */
int type_reader_name(struct type_reader *reader, const struct type_facts *facts,
                     char *ret) MUST_CHECK;

/* A str object as UTF-8, cut to `capacity` - 1 bytes and terminated. 0: not a str. */
int type_reader_str(struct type_reader *reader, addr_t at, char *ret, size_t capacity) MUST_CHECK;

#endif
