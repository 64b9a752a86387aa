"""Responses cached by their whole URL, which has a number of its own in each request.

Verdict: objects l02_url_cache.Response
"""
cache = {}
clock = [0]


class Response:
    def __init__(self, url):
        self.url = url
        self.body = b"x" * 200


def get(url):
    if url not in cache:
        cache[url] = Response(url)
    return cache[url]


def run(n):
    for _ in range(n):
        clock[0] += 1
        get("https://shop.example/search?q=tea&request=%d" % clock[0])
