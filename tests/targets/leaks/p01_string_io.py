"""A transcript in an io.StringIO that is never read. From CPython 3.12 on it is one text that asks for a
quarter more than it needs, a staircase in memory; before, a text for each write.

Verdict: buffer/objects str | _io.StringIO
"""
import io

transcript = io.StringIO()


def run(n):
    transcript.write("y" * 2000 * n)
