"""Async generators that are left after the first item, and kept in a list.

Verdict: objects async_generator
"""
import asyncio

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
streams = []


async def events():
    number = 0
    while True:
        yield number
        number += 1


async def first(n):
    for _ in range(n):
        stream = events()
        await stream.__anext__()
        streams.append(stream)


def run(n):
    loop.run_until_complete(first(n))
