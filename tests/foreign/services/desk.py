"""The desk: lends a book by taking it from the shelf and noting it with the member, or gives it back.

    desk.py [FILE] [--listen HOST:PORT]

Where it listens: `--listen`, else ADDRESS.
Where the others are, the first that is there:
    both shelf and members   GATEWAY_URL
    members                  MEMBERS_URL; MEMBERS_HOST and MEMBERS_PORT; [members] in FILE
    shelf                    SHELF_URL; [shelf] in FILE
    counter                  [counter] in FILE; without one, nothing is counted
How a loan is named to them: in the header X-Loan, or, with KEYS=path, in the path and in the body. With
TRACES=dropped it passes no traceparent on. With FORGETS set it never gives a book back: the tests' saboteur.
"""

import argparse
import configparser
import os
import socket
import urllib.parse

from web import call, passed_on, serve

arguments = argparse.ArgumentParser()
arguments.add_argument("file", nargs="?")
arguments.add_argument("--listen", default=os.environ.get("ADDRESS"))
arguments = arguments.parse_args()
config = configparser.ConfigParser()
if arguments.file:
    config.read_file(open(arguments.file))


def where(name):
    """host:port of a callee."""
    url = os.environ.get("GATEWAY_URL") or os.environ.get(f"{name}_URL")
    if url:
        return urllib.parse.urlsplit(url).netloc
    if f"{name}_HOST" in os.environ:
        return f"{os.environ[f'{name}_HOST']}:{os.environ[f'{name}_PORT']}"
    return config[name.lower()]["address"]


members, shelf = where("MEMBERS"), where("SHELF")
counter = config.get("counter", "address", fallback=None)
patience = float(os.environ.get("PATIENCE_S", "2"))
keys_in_path = os.environ.get("KEYS") == "path"
drops_traces = os.environ.get("TRACES") == "dropped"
forgets = "FORGETS" in os.environ


def taking(book, loan):
    return f"/shelf/{book}/takings/{loan}" if keys_in_path else f"/shelf/{book}/takings"


def give_back(book, loan, on, tries=20):
    """Undoing must come through: repeated until it is answered."""
    for _ in range(0 if forgets else tries):
        status, _ = call(shelf, "DELETE", taking(book, loan), on, timeout=patience)
        if status is not None and status < 500:
            return


def count():
    """Counts a loan with the counter, over a protocol that is not HTTP. A loan that cannot be counted stands."""
    if counter is None:
        return None
    try:
        host, port = counter.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=patience) as connection:
            connection.sendall(b"add 1\n")
            return int(connection.makefile().readline())
    except (OSError, ValueError):
        return None


def lend(_match, headers, body):
    loan, book = headers["X-Loan"], body["book"]
    on = {} if keys_in_path else {"X-Loan": loan}
    if not drops_traces:
        on |= passed_on(headers)
    status, answer = call(shelf, "PUT", taking(book, loan), on, timeout=patience)
    if status == 409:
        return 409, {"loan": loan, "state": "refused", "why": answer}
    if status == 201:
        noted = {"loan": loan} if keys_in_path else None
        status, answer = call(members, "POST", f"/members/{body['member']}/loans", on, noted, timeout=patience)
        if status == 201:
            return 201, {"loan": loan, "state": "lent", "counted": count()}
    give_back(book, loan, on)
    return (403 if status == 403 else 503), {"loan": loan, "state": "given back", "why": answer}


host, port = arguments.listen.rsplit(":", 1)
serve(host, int(port), [("GET", r"/ready", lambda *_: (200, {})), ("POST", r"/loans", lend)])
