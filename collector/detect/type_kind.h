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
 * By how much the name tells, across those kinds: above the library's classes that come with
 * others' (a weak reference, a date) stand the built-ins that are something by themselves (a class,
 * a module, a generator, an error), above these the library's other classes.
 */
enum type_rank {
    TYPE_RANK_NONE,
    TYPE_RANK_BUILT_IN,
    TYPE_RANK_LIBRARY_PLAIN,
    TYPE_RANK_BUILT_IN_TELLING,
    TYPE_RANK_LIBRARY,
    TYPE_RANK_USER,
};

enum type_rank type_rank_of(const char *name);

/*
 * 1 for plain data, what other objects are made of: "str", "dict", "datetime.date". Where there are
 * as many of a function and of a str, the function is the one that a person knows.
 */
int type_is_plain(const char *name);

/* 1 for the built-ins that documents are made of: "dict", "list", "tuple". */
int type_is_container(const char *name);

/* 1 for a type whose bytes are no references: it grows, but not with what it holds. */
int type_is_leaf(const char *name);

#endif
