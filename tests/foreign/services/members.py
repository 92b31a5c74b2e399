"""The members: who has which loan, in a SQLite file. Its port comes in PORT, its database in DB_FILE and DB_TABLE."""

import os
import sqlite3
import threading

from web import serve

TABLE = os.environ["DB_TABLE"]
lock = threading.Lock()
database = sqlite3.connect(os.environ["DB_FILE"], check_same_thread=False)
database.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (loan TEXT PRIMARY KEY, member TEXT NOT NULL)")
database.commit()

BARRED = {"mallory"}


def lend(match, headers, _body):
    if match["member"] in BARRED:
        return 403, {"error": "this member is barred"}
    with lock:
        database.execute(f"INSERT OR IGNORE INTO {TABLE} VALUES (?, ?)", (headers["X-Loan"], match["member"]))
        database.commit()
    return 201, {"loan": headers["X-Loan"], "member": match["member"]}


def summary(*_):
    with lock:
        count = database.execute(f"SELECT COUNT(*) FROM {TABLE}").fetchone()[0]
    return 200, {"loans": count}


serve("127.0.0.1", int(os.environ["PORT"]), [
    ("GET", r"/health", lambda *_: (200, {"ok": True})),
    ("POST", r"/members/(?P<member>\w+)/loans", lend),
    ("GET", r"/members", summary),
])
