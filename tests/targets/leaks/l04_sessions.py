"""Sessions by token, which are made at each visit and never expire.

Verdict: objects l04_sessions.Session
"""
sessions = {}


class User:
    def __init__(self, number):
        self.number = number


users = [User(number) for number in range(50)]


class Session:
    def __init__(self, user):
        self.user = user
        self.data = {"basket": [], "seen": {"home"}}


def run(n):
    for _ in range(n):
        token = "%032x" % len(sessions)
        sessions[token] = Session(users[len(sessions) % len(users)])
