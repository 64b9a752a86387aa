"""A text that is gathered for five seconds and sent: as large each time.

Verdict: none
"""
text = [""]
calls = [0]


def run(n):
    calls[0] += 1
    text[0] += "x" * (2000 * n)
    if calls[0] % 50 == 0:
        text[0] = ""
