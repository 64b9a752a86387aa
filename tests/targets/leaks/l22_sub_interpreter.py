"""A plugin in a sub-interpreter that keeps each message it was given.

Verdict: objects __main__.Message
"""
try:
    import _interpreters
    run_in = _interpreters.exec
except ImportError:
    import _xxsubinterpreters as _interpreters
    run_in = _interpreters.run_string

inner = _interpreters.create()
run_in(inner, """
class Message:
    def __init__(self, n):
        self.n = n
        self.parts = [n]
kept = []
""")


def run(n):
    run_in(inner, "kept.extend(Message(k) for k in range(%d))" % n)
