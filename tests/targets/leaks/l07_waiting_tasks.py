"""Tasks in a set that wait for an answer which never comes.

Verdict: objects _asyncio.Task
"""
import asyncio

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
background = set()


async def wait_for_answer():
    await loop.create_future()


async def start(n):
    for _ in range(n):
        task = asyncio.ensure_future(wait_for_answer())
        background.add(task)
        task.add_done_callback(background.discard)
    await asyncio.sleep(0)


def run(n):
    loop.run_until_complete(start(n))
