"""Text gathered in an io.StringIO and sent when it is large enough: a sawtooth of bytes.

Verdict: none
"""
import io

batch = [io.StringIO()]


def run(n):
    batch[0].write("y" * 2000 * n)
    if batch[0].tell() > 1_000_000:
        batch[0] = io.StringIO()
