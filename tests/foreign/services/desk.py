"""The desk: lends a book by taking it from the shelf and noting it with the member, or gives it back.

Listens where ADDRESS says. Finds the members by MEMBERS_HOST and MEMBERS_PORT or, when GATEWAY_URL is set, both
the members and the shelf behind that one address; otherwise shelf and counter are named in the file of its
first argument.
"""

import configparser
import os
import socket
import sys
import urllib.parse

from web import call, passed_on, serve

config = configparser.ConfigParser()
config.read(sys.argv[1])
gateway = os.environ.get("GATEWAY_URL")
if gateway:
    members = shelf = urllib.parse.urlsplit(gateway).netloc
else:
    members = f"{os.environ['MEMBERS_HOST']}:{os.environ['MEMBERS_PORT']}"
    shelf = config["shelf"]["address"]
counter = config["counter"]["address"]


def insist(method, path, headers, tries=20):
    """Undoing must come through: repeated until it is answered."""
    for _ in range(tries):
        status, body = call(shelf, method, path, headers)
        if status is not None and status < 500:
            return status, body
    return status, body


def count():
    """Counts a loan with the counter, over a protocol that is not HTTP."""
    host, port = counter.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=2.0) as connection:
        connection.sendall(b"+1\n")
        return connection.makefile().readline().strip()


def lend(_match, headers, body):
    loan, book = headers["X-Loan"], body["book"]
    on = passed_on(headers)
    status, answer = call(shelf, "POST", f"/shelf/{book}/takings", on)
    if status == 409:
        return 409, {"loan": loan, "state": "refused", "why": answer}
    if status == 201:
        status, answer = call(members, "POST", f"/members/{body['member']}/loans", on)
        if status == 201:
            count()
            return 201, {"loan": loan, "state": "lent"}
    insist("DELETE", f"/shelf/{book}/takings", on)
    return (403 if status == 403 else 503), {"loan": loan, "state": "given back", "why": answer}


host, port = os.environ["ADDRESS"].rsplit(":", 1)
serve(host, int(port), [("GET", r"/ready", lambda *_: (200, {})), ("POST", r"/loans", lend)])
