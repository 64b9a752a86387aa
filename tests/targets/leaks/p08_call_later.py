"""A timeout of a day for each session, which is not cancelled when the session ends.

Verdict: objects p08_call_later.Session
"""
import asyncio

loop = asyncio.new_event_loop()


class Session:
    def expire(self):
        pass


def run(n):
    for _ in range(n):
        loop.call_later(86400, Session().expire)
    loop.call_soon(loop.stop)
    loop.run_forever()
