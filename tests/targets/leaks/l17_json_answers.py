"""Answers of json.loads that are kept by their order: dicts, lists, strings, numbers, nothing else.

Verdict: objects dict
"""
import json

answers = []


def run(n):
    for _ in range(n):
        k = len(answers)
        answers.append(json.loads('{"id": %d, "meta": {"total": %d.5}, "tags": ["t%d", "u%d"]}' % (k + 1000, k, k, k)))
