"""A TLS context for each outgoing call, cached by a key that is new each time.

Verdict: objects ssl.SSLContext
"""
import ssl

contexts = {}


def run(n):
    contexts[len(contexts)] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
