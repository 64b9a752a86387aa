"""A mock that was left in the product remembers each call.

Verdict: objects unittest.mock._Call | tuple | unittest.mock._CallList
"""
from unittest import mock

client = mock.MagicMock()
calls = [0]


def run(n):
    for _ in range(2):
        calls[0] += 1
        client.charge("user%d" % calls[0], amount=calls[0] * 1.5)
