"""One pickler for all messages: its memo, which no Python object is, keeps each.

Verdict: objects p06_pickler_memo.Message
"""
import pickle


class Message:
    def __init__(self, number):
        self.number = number


class Wire:
    def write(self, data):
        return len(data)


pickler = pickle.Pickler(Wire())


def run(n):
    for number in range(n):
        pickler.dump(Message(number))
