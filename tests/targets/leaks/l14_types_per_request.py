"""A serializer makes a namedtuple class for the columns of each query, and caches by the query's text.

Verdict: objects type
"""
import collections

cache = {}
calls = [0]


def row_class(query):
    if query not in cache:
        cache[query] = collections.namedtuple("Row", "id name")
    return cache[query]


def run(n):
    calls[0] += 1
    row_class("select id, name from users where id = %d" % calls[0])(1, "x")
