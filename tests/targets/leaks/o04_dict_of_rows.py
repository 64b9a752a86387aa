"""Rows kept by primary key, among many that are not kept.

Verdict: objects o04_dict_of_rows.Row
"""


class Row:
    __slots__ = ("key", "payload")

    def __init__(self, key):
        self.key = key
        self.payload = {"key": key}


class Request:
    def __init__(self):
        self.rows = [Row(i) for i in range(20)]


seen = {}


def run(n):
    for _ in range(n):
        request = Request()
        row = request.rows[0]
        seen[len(seen)] = row
