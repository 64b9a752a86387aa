"""A middleware that wraps the handler again at each request: closures in closures.

Verdict: objects o03_wrappers.Handler
"""


class Handler:
    def __init__(self, inner):
        self.inner = inner

    def __call__(self, request):
        return request


chain = [Handler(None)]


def run(n):
    for _ in range(n):
        chain[0] = Handler(chain[0])
        chain[0]("request")
