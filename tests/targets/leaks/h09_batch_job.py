"""A job that gathers rows for twelve seconds, writes them, and begins anew.

Verdict: none
"""
CALLS = 120
rows = []
calls = [0]


class Row:
    def __init__(self, number):
        self.cells = [number, "cell %d" % number]


def run(n):
    calls[0] += 1
    rows.extend(Row(number) for number in range(n))
    if calls[0] % CALLS == 0:
        text = "".join(row.cells[1] for row in rows)
        rows.clear()
        del text
