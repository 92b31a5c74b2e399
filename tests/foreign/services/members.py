"""The members: who has which loan. Its port comes in PORT.

Where the loans are, the first that is there:
    STORE_HOST and STORE_PORT   a counter.py, which keeps them as a set
    DB_URL                      a SQLite file, as sqlite:PATH
    DB_FILE and DB_TABLE        a SQLite file and the table in it
    none of them                nowhere but in memory
"""

import os
import socket
import sqlite3
import threading

from web import serve

lock = threading.Lock()


class File:
    """A SQLite file, which several instances may share."""

    def __init__(self, path, table):
        self.table = table
        self.database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute(f"CREATE TABLE IF NOT EXISTS {table} (loan TEXT PRIMARY KEY, member TEXT NOT NULL)")

    def add(self, loan, member):
        self.database.execute(f"INSERT OR IGNORE INTO {self.table} VALUES (?, ?)", (loan, member))

    def size(self):
        return self.database.execute(f"SELECT COUNT(*) FROM {self.table}").fetchone()[0]


class Store:
    """A set behind a line protocol."""

    def __init__(self, host, port):
        self.lines = socket.create_connection((host, int(port))).makefile("rw")

    def ask(self, line):
        self.lines.write(line + "\n")
        self.lines.flush()
        return int(self.lines.readline())

    def add(self, loan, _member):
        self.ask(f"keep {loan}")

    def size(self):
        return self.ask("kept")


def loans_kept():
    if "STORE_HOST" in os.environ:
        return Store(os.environ["STORE_HOST"], os.environ["STORE_PORT"])
    if "DB_URL" in os.environ:
        return File(os.environ["DB_URL"].removeprefix("sqlite:"), "loans")
    if "DB_FILE" in os.environ:
        return File(os.environ["DB_FILE"], os.environ["DB_TABLE"])
    return File(":memory:", "loans")


kept = loans_kept()
BARRED = {"mallory"}


def lend(match, headers, body):
    loan = body["loan"] if body else headers["X-Loan"]
    if match["member"] in BARRED:
        return 403, {"error": "this member is barred", "loan": loan}
    with lock:
        kept.add(loan, match["member"])
    return 201, {"loan": loan, "member": match["member"]}


def summary(*_):
    with lock:
        return 200, {"loans": kept.size()}


serve("127.0.0.1", int(os.environ["PORT"]), [
    ("GET", r"/health", lambda *_: (200, {"ok": True})),
    ("POST", r"/members/(?P<member>\w+)/loans", lend),
    ("GET", r"/members", summary),
])
