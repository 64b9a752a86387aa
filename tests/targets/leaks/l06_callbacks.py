"""A registry of callbacks, closures over a request's text, that are never taken out again.

Verdict: objects function
"""
callbacks = []


def on_done(text, number):
    def callback():
        return text, number
    callbacks.append(callback)


def run(n):
    for _ in range(n):
        on_done("request %d of somebody who waits" % len(callbacks), len(callbacks) + 1000)
