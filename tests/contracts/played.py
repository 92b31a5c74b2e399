"""Plays a service as its contract with its consumer has it: `played.py contracts/order-payment.json`.

What it answers are the answers of the contract, which the real service is held to, and no others. Which of them is told
by whoever sets the states of the consumer (`states.py`):

    POST /_plays {"POST /api/v1/payments": "a charge of a card that the bank declines"}

The value names an interaction, or is one of two words for what no contract has: `nothing`, the connection is closed
without an answer; `later`, the answer is kept back until something else is told. What is asked meanwhile and is not told
about is answered as the first interaction of USUAL has it.
"""

import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What a service does that is asked for nothing unusual.
USUAL = [
    "a reservation of goods that are in stock",
    "a release of reserved goods",
    "a delivery of `order.confirmed`, which sells the goods",
    "a charge that the bank pays",
    "a refund of a charge",
]


class Interaction:
    def __init__(self, of):
        self.description, self.response = of["description"], of["response"]
        self.method, self.path = of["request"]["method"], of["request"]["path"]
        rules = of["request"].get("matchingRules", {}).get("path", {}).get("matchers", [])
        self.patterns = [rule["regex"] for rule in rules if rule["match"] == "regex"]

    def is_for(self, method, path):
        if method != self.method:
            return False
        return all(re.search(of, path) for of in self.patterns) if self.patterns else path == self.path

    def body(self, order_id):
        """Which order an answer is about is open in the contract: it is the one that was asked for."""
        body = self.response.get("body", {}).get("content")
        if isinstance(body, dict) and "order_id" in body and order_id:
            body = {**body, "order_id": order_id}
        return b"" if body is None else json.dumps(body).encode()


def read(path):
    with open(path, encoding="utf-8") as file:
        listed = json.load(file)["interactions"]
    return [Interaction(of) for of in listed if of["type"] == "Synchronous/HTTP"]


INTERACTIONS = read(sys.argv[1])
TOLD = {}
CHANGED = threading.Condition()


def told(method, path):
    """What is to be done about a call, once it is not to wait any more."""
    with CHANGED:
        while True:
            usual = next((of for of in INTERACTIONS if of.description in USUAL and of.is_for(method, path)), None)
            route = usual and f"{usual.method} {usual.path}"
            what = TOLD.get(route, usual and usual.description)
            if what != "later":
                return what
            CHANGED.wait()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A head and a body are two writes, and the second would wait for the first to be acknowledged.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def asked(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/readyz":
            return self.answer(200, {"status": "ready"})
        if self.path == "/_plays":
            return self.take(json.loads(body))
        what = told(self.command, self.path)
        if what == "nothing":
            self.close_connection = True
            return None
        found = [of for of in INTERACTIONS if of.description == what]
        if not found:
            return self.answer(501, {"title": "the contract has no such call", "status": 501})
        of = found[0]
        content = of.body(order_of(self.path, body))
        headers = {name: ", ".join(values) for name, values in of.response.get("headers", {}).items()}
        return self.send(of.response["status"], headers, content)

    do_GET = do_POST = do_PUT = do_DELETE = asked

    def take(self, plays):
        known = {of.description for of in INTERACTIONS} | {"nothing", "later"}
        unknown = [what for what in plays.values() if what not in known]
        if unknown:
            return self.answer(422, {"title": f"the contract has no interaction {unknown[0]!r}"})
        with CHANGED:
            TOLD.clear()
            TOLD.update(plays)
            CHANGED.notify_all()
        return self.answer(200, {})

    def answer(self, status, body):
        self.send(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def send(self, status, headers, content):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204:
            self.wfile.write(content)


def order_of(path, body):
    try:
        asked = json.loads(body)["order_id"]
    except (ValueError, KeyError, TypeError):
        asked = None
    in_path = re.match(r"^/api/v1/(?:payments|reservations)/([^/]+)", path)
    return asked or (in_path and in_path.group(1))


if __name__ == "__main__":
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), Handler)
    server.daemon_threads = True
    server.serve_forever()
