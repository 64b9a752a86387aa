"""
Searches a small library of made-up titles, and keeps the newest answers: at most CACHE_SIZE of them,
so that it grows after its start and then stays as it is.
"""
import collections
import threading
from urllib.parse import parse_qs, quote, urlsplit

CACHE_SIZE = 300

ADJECTIVES = ("green", "silent", "early", "brave", "hidden", "northern", "small", "last", "open", "grey")
NOUNS = ("harbour", "garden", "winter", "letter", "mountain", "river", "lamp", "window", "road", "clock")
TITLES = [f"the {adjective} {noun} {part}"
          for adjective in ADJECTIVES for noun in NOUNS for part in ("i", "ii", "iii")]

_lock = threading.Lock()
_answers = collections.OrderedDict()  # words -> Answer, the least recently used first


class Answer:
    def __init__(self, words, titles):
        self.words = words
        self.titles = titles
        self.text = "\n".join(titles) or "nothing found"


def configure(release):
    del release  # all releases are alike


def look_up(words):
    with _lock:
        answer = _answers.get(words)
        if answer is not None:
            _answers.move_to_end(words)
            return answer
    answer = Answer(words, [title for title in TITLES if all(word in title for word in words.split())])
    with _lock:
        _answers[words] = answer
        while len(_answers) > CACHE_SIZE:
            _answers.popitem(last=False)
    return answer


def handle(path):
    url = urlsplit(path)
    words = parse_qs(url.query).get("words")
    if url.path != "/search" or not words:
        return 404, "no such page"
    return 200, look_up(words[0]).text


def next_request(chance):
    words = f"{chance.choice(ADJECTIVES)} {chance.choice(NOUNS)} {chance.choice('i ii iii iv v vi'.split())}"
    return f"/search?words={quote(words)}"
