"""The shelf: how many copies of a book there are, and which loan took one. Told its port on the command line."""

import sys
import threading

from web import serve

lock = threading.Lock()
copies = {}
taken = {}
returned = set()


def stock(match, _headers, body):
    with lock:
        copies.setdefault(match["book"], body["copies"])
    return 200, {"book": match["book"], "copies": copies[match["book"]]}


def take(match, headers, _body):
    loan = headers["X-Loan"]
    with lock:
        if loan in returned:
            return 409, {"error": "this loan was given up"}
        if loan not in taken:
            if copies.get(match["book"], 0) == 0:
                return 409, {"error": "no copy left"}
            copies[match["book"]] -= 1
            taken[loan] = match["book"]
    return 201, {"loan": loan}


def give_back(_match, headers, _body):
    loan = headers["X-Loan"]
    with lock:
        returned.add(loan)
        book = taken.pop(loan, None)
        if book is not None:
            copies[book] += 1
    return 200, {"loan": loan}


def summary(*_):
    with lock:
        return 200, {"copies": sum(copies.values()), "taken": len(taken)}


serve("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1]), [
    ("PUT", r"/shelf/(?P<book>\w+)", stock),
    ("POST", r"/shelf/(?P<book>\w+)/takings", take),
    ("DELETE", r"/shelf/(?P<book>\w+)/takings", give_back),
    ("GET", r"/shelf", summary),
])
