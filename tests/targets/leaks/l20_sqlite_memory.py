"""A table in an in-memory SQLite that is only ever inserted to: no Python object is kept.

Verdict: native
"""
import sqlite3

connection = sqlite3.connect(":memory:", check_same_thread=False)
connection.execute("create table log (at integer, text text)")


def run(n):
    connection.executemany("insert into log values (?, ?)", [(k, "x" * 900) for k in range(n * 20)])
    connection.commit()
