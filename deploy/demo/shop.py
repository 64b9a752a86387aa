"""
A shop. Visitors fill carts and some of them check out.

Release v2 is to write to those who left without buying, and so it remembers their carts. The cart is
forgotten when it is paid for; nobody has written yet the part that forgets the others.
"""
import itertools
import threading
from urllib.parse import parse_qs, urlsplit

ARTICLES = {"teapot": 2400, "kettle": 3900, "cup": 900, "saucer": 450, "spoon": 250, "tray": 1800}

_numbers = itertools.count(100_000)
_lock = threading.Lock()
_current = {}   # visitor -> the cart in use; visitors are a fixed number
_abandoned = {}  # number -> cart, for the reminder
_reminds = False


class Item:
    __slots__ = ("article", "quantity", "cents")

    def __init__(self, article, quantity):
        self.article = article
        self.quantity = quantity
        self.cents = ARTICLES[article] * quantity


class Cart:
    def __init__(self, visitor):
        self.number = next(_numbers)
        self.visitor = visitor
        self.items = []
        self.note = f"cart {self.number} of visitor {visitor}"

    def add(self, article, quantity):
        self.items.append(Item(article, quantity))

    @property
    def cents(self):
        return sum(item.cents for item in self.items)


def configure(release):
    global _reminds
    _reminds = release != "v1"


def fill(visitor, article, quantity):
    with _lock:
        cart = _current[visitor] = Cart(visitor)
        cart.add(article, quantity)
        cart.add("spoon", 1)
        if _reminds:
            _abandoned[cart.number] = cart
        return f"{cart.note}: {cart.cents / 100:.2f}"


def check_out(visitor):
    with _lock:
        cart = _current.pop(visitor, None)
        if cart is None:
            return "nothing to pay for"
        _abandoned.pop(cart.number, None)
        return f"{cart.note}: paid {cart.cents / 100:.2f}"


def handle(path):
    url = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.path == "/cart":
        return 200, fill(int(query["visitor"]), query["article"], int(query["quantity"]))
    if url.path == "/checkout":
        return 200, check_out(int(query["visitor"]))
    return 404, "no such page"


def next_request(chance):
    visitor = chance.randrange(50)
    if chance.random() < 0.3:
        return f"/checkout?visitor={visitor}"
    article = chance.choice(sorted(ARTICLES))
    return f"/cart?visitor={visitor}&article={article}&quantity={chance.randint(1, 6)}"
