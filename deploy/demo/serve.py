"""
Serves one of the demonstration's applications over HTTP, on a port of its own on loopback, and is
its own visitor: a thread sends it a bounded number of requests a second.

usage: python3 serve.py MODULE [--release V] [--rate REQUESTS_PER_SECOND] [--seed N]

MODULE has `configure(release)`, `handle(path)` and `next_request(random)`. Neither it nor this file
knows anything of what watches them.
"""
import argparse
import http.client
import http.server
import importlib
import random
import threading
import time


def make_handler(application):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            status, text = application.handle(self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def visit(application, port, rate, seed):
    """One visitor after another, for ever; a request that comes late is not made up for."""
    chance = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while True:
        connection.request("GET", application.next_request(chance))
        connection.getresponse().read()
        time.sleep(chance.uniform(0.5, 1.5) / rate)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--release", default="v1")
    parser.add_argument("--rate", type=float, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    application = importlib.import_module(options.module)
    application.configure(options.release)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make_handler(application))
    server.daemon_threads = True
    visitor = threading.Thread(target=visit, daemon=True, args=(
        application, server.server_port, options.rate, options.seed))
    visitor.start()
    server.serve_forever()


if __name__ == "__main__":
    main()
