"""The shelf: how many copies of a book there are, and which loan took one. Told its port on the command line.

A loan is named in the header X-Loan or at the end of the path.
"""

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


def loan_of(match, headers):
    return match["loan"] or headers["X-Loan"]


def take(match, headers, _body):
    loan = loan_of(match, headers)
    with lock:
        if loan in returned:
            return 409, {"error": "this loan was given up"}
        if loan not in taken:
            if copies.get(match["book"], 0) == 0:
                return 409, {"error": "no copy left"}
            copies[match["book"]] -= 1
            taken[loan] = match["book"]
    return 201, {"loan": loan}


def give_back(match, headers, _body):
    loan = loan_of(match, headers)
    with lock:
        returned.add(loan)
        book = taken.pop(loan, None)
        if book is not None:
            copies[book] += 1
    return 200, {"loan": loan}


def summary(*_):
    with lock:
        return 200, {"copies": sum(copies.values()), "taken": len(taken)}


TAKING = r"/shelf/(?P<book>\w+)/takings(/(?P<loan>[\w-]+))?"

serve("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1]), [
    ("PUT", r"/shelf/(?P<book>\w+)", stock),
    ("PUT", TAKING, take),
    ("DELETE", TAKING, give_back),
    ("GET", r"/shelf", summary),
])
