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

/*
 * 1 for plain data, what other objects are made of: "str", "dict", "datetime.date". Where there are
 * as many of a generator and of a str, the generator is the one that a person knows.
 */
int type_is_plain(const char *name);

/* 1 for a type whose bytes are no references: it grows, but not with what it holds. */
int type_is_leaf(const char *name);

#endif
