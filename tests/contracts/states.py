"""Sets the provider states of inventory and payment, for `squall contract verify --states-command`.

States are brought about through what the services offer anybody: receipts, reservations, payments, events. What no
interface has (a database that lost its tables, or that somebody else has locked) is done to the file of a service that
runs as a process. Two states need settings of the service:

    squall contract verify inventory payment --fresh --states-command "python3 tests/contracts/states.py" \
        --state-variable "it has no time left: REQUEST_TIMEOUT_MS=300" \
        --state-variable "it is as busy as it may be: REQUESTS_MAX=0"
"""

import json
import os
import pathlib
import sqlite3
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATES = {}
LOCKED = {}


def state(name):
    """The function below brings about the state of this name."""

    def known(setup):
        STATES[name] = setup
        return setup

    return known


def call(services, service, method, path, body=None, key=None, kind="application/json"):
    headers = {"Content-Type": kind, "Idempotency-Key": key or str(uuid.uuid4())}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(services[service]["url"] + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


@state("goods are in stock")
def goods_are_in_stock(params, services):
    receive(services, params["sku"], params["on_hand"])


@state("goods are reserved for an order")
def goods_are_reserved(params, services):
    """As much as is reserved was there, and no more."""
    receive(services, params["sku"], params["quantity"])
    items = [{"sku": params["sku"], "quantity": params["quantity"]}]
    call(services, "inventory", "POST", "/api/v1/reservations", {"order_id": params["order_id"], "items": items})


@state("the goods of an order are sold")
def goods_are_sold(params, services):
    goods_are_reserved(params, services)
    event_id = params["order_id"] + ".order.confirmed"
    items = [{"sku": params["sku"], "quantity": params["quantity"]}]
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "order",
        "type": "order.confirmed",
        "subject": params["order_id"],
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "order_id": params["order_id"],
            "customer_id": "ada",
            "amount": 998,
            "currency": "EUR",
            "items": items,
        },
    }
    call(services, "inventory", "POST", "/api/v1/events", event, "order/" + event_id, "application/cloudevents+json")


@state("an order was released")
def an_order_was_released(params, services):
    call(services, "inventory", "DELETE", "/api/v1/reservations/" + params["order_id"])


@state("an order was charged")
def an_order_was_charged(params, services):
    body = {name: params[name] for name in ("order_id", "amount", "currency", "payment_method")}
    call(services, "payment", "POST", "/api/v1/payments", body, params["idempotency_key"])


@state("an order was refunded")
@state("an order was voided")
def an_order_was_refunded(params, services):
    """To refund what was never charged is to void it."""
    call(services, "payment", "POST", "/api/v1/payments/" + params["order_id"] + "/refunds", {})


def receive(services, sku, units):
    call(services, "inventory", "PUT", f"/api/v1/stock/{sku}/receipts/{uuid.uuid4()}", {"quantity": units})


@state("its database has lost its tables")
def the_database_has_lost_its_tables(params, services, provider):
    """Only of a service that runs as a process: `data` is its folder."""
    with database(services, provider) as opened:
        opened.execute("PRAGMA foreign_keys = OFF")
        listed = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for (name,) in listed.fetchall():
            opened.execute(f'DROP TABLE "{name}"')


@state("it has no time left")
def it_has_no_time_left(params, services, provider):
    """Whoever writes waits for a lock that is let go with the state."""
    opened = database(services, provider)
    opened.execute("BEGIN IMMEDIATE")
    LOCKED[services[provider]["url"]] = opened


def database(services, provider):
    for path in pathlib.Path(services[provider]["data"]).iterdir():
        if path.read_bytes()[:15] == b"SQLite format 3":
            return sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    raise FileNotFoundError(f"no database of {provider} that is a file")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        setup = STATES.get(asked["state"])
        if setup is None:
            return self.answer(404, {"unknown": asked["state"]})
        try:
            # All that was set is gone with the provider's store, but for a lock.
            if asked["action"] == "setup":
                of_provider = {"provider": asked["provider"]} if "provider" in setup.__code__.co_varnames else {}
                setup(asked.get("params", {}), asked["services"], **of_provider)
            elif asked["services"][asked["provider"]]["url"] in LOCKED:
                LOCKED.pop(asked["services"][asked["provider"]]["url"]).close()
            return self.answer(200, {})
        except urllib.error.HTTPError as why:
            return self.answer(500, f"{why.url} answered {why.code}: {why.read().decode(errors='replace')}")
        except Exception as why:
            return self.answer(500, f"{type(why).__name__}: {why}")

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    host, port = os.environ["STATES_LISTEN"].rsplit(":", 1)
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
