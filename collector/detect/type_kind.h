/*
 * What a type's name says about whose it is. A leak of `shop.Cart` drags dicts, lists and strings
 * along; the name a person can act on is the most specific one.
 */
#ifndef COLLECTOR_DETECT_TYPE_KIND_H
#define COLLECTOR_DETECT_TYPE_KIND_H

/* By how much the name tells, least first. */
enum type_kind {
    TYPE_NONE,     /* not a type: "(other)", "" */
    TYPE_BUILT_IN, /* no module: "dict", "str" */
    TYPE_LIBRARY,  /* Python's standard library: "collections.OrderedDict" */
    TYPE_USER,     /* the program's own, or a package's: "shop.Cart", "__main__.Cart" */
};

enum type_kind type_kind_of(const char *name);

#endif
