"""Sets the provider states of the reference system, for `squall contract verify --states-command`.

States are brought about through what the services offer anybody: receipts, reservations, payments, events, orders. What
no interface has (a database that lost its tables, or that somebody else has locked) is done to the file of a service
that runs as a process. Two states need settings of the service:

    squall contract verify inventory payment --fresh --states-command "python3 tests/contracts/states.py" \
        --state-variable "it has no time left: REQUEST_TIMEOUT_MS=300" \
        --state-variable "it is as busy as it may be: REQUESTS_MAX=0"

States of order say what inventory and payment do. Those of `tests/contracts/order.yaml` can be told (see `played.py`):

    squall contract verify order --system tests/contracts/order.yaml --fresh … \
        --state-variable "payment takes its time: ORDER_WAIT_MS=0"
"""

import fcntl
import json
import os
import pathlib
import sqlite3
import threading
import time
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
    """Whoever reads or writes waits for locks that are let go with the state: all that SQLite has of a write-ahead log."""
    shared = open(f"{database_file(services, provider)}-shm", "r+b")
    fcntl.lockf(shared, fcntl.LOCK_EX, 8, 120)
    LOCKED[services[provider]["url"]] = shared


def database(services, provider):
    return sqlite3.connect(database_file(services, provider), timeout=10, isolation_level=None)


def database_file(services, provider):
    if "data" not in services[provider]:
        raise Unable(f"the database of {provider} is no file that can be reached: verify this with `--backend process`")
    for path in pathlib.Path(services[provider]["data"]).iterdir():
        if path.read_bytes()[:15] == b"SQLite format 3":
            return path
    raise Unable(f"there is no database of {provider} that is a file")


# Of order: first what the services do that it calls, then the orders that were placed with it.

CHARGE, REFUND = "POST /api/v1/payments", "POST /api/v1/payments/order-1/refunds"
RESERVE, RELEASE = "POST /api/v1/reservations", "DELETE /api/v1/reservations/order-1"


@state("inventory and payment do their part")
def they_do_their_part(params, services):
    play(services, "inventory", {})
    play(services, "payment", {})


@state("payment takes its time")
def payment_takes_its_time(params, services):
    play(services, "payment", {CHARGE: "later"})


@state("payment gives no answer")
def payment_gives_no_answer(params, services):
    play(services, "payment", {CHARGE: "nothing"})


@state("payment refuses the charge")
def payment_refuses_the_charge(params, services):
    play(services, "payment", {CHARGE: declared("payment", CHARGE, params["problem"], params["status"])})


@state("inventory refuses the reservation")
def inventory_refuses_the_reservation(params, services):
    play(services, "inventory", {RESERVE: declared("inventory", RESERVE, params["problem"])})


@state("inventory is short of goods")
def inventory_is_short_of_goods(params, services):
    play(services, "inventory", {RESERVE: declared("inventory", RESERVE, "out-of-stock", sku=params["sku"])})


@state("a service is not called for a while")
def a_service_is_not_called(params, services):
    """Its breaker is open: it gave no answer often enough."""
    routes = {"payment": [CHARGE, REFUND], "inventory": [RESERVE, RELEASE]}[params["callee"]]
    play(services, params["callee"], {route: "nothing" for route in routes})
    until("the breaker is open", lambda: problem_of(lambda: place(services, str(uuid.uuid4()))) == "breaker-open")


@state("an order was confirmed")
def an_order_was_confirmed(params, services):
    return {"order_id": place(services, params["idempotency_key"], "confirmed")["order_id"]}


@state("an order is under way")
def an_order_is_under_way(params, services):
    return {"order_id": begin(services, params["idempotency_key"])["order_id"]}


@state("an order was cancelled")
def an_order_was_cancelled(params, services):
    """On request: what was charged meanwhile is given back."""
    key = params["idempotency_key"]
    order_id = begin(services, key)["order_id"]
    call(services, "order", "POST", f"/api/v1/orders/{order_id}/cancellation")
    play(services, "payment", {})
    until("the order is cancelled", lambda: placed_under(services, key)["status"] == "cancelled")
    return {"order_id": order_id}


@state("a customer has orders")
def a_customer_has_orders(params, services):
    for n in range(params["orders"]):
        place(services, f"basket-{n}", "confirmed")


def place(services, key, status=None):
    items = [{"sku": "widget", "quantity": 2}]
    body = {"customer_id": "ada", "items": items, "payment_method": "pm_ok"}
    order = json.loads(call(services, "order", "POST", "/api/v1/orders", body, key))
    if status and order["status"] != status:
        raise Unable(f"the order that was placed is {order['status']}, not {status}")
    return order


def begin(services, key):
    """An order whose charge is not answered. Whoever placed it waits on."""
    play(services, "payment", {CHARGE: "later"})
    threading.Thread(target=problem_of, args=[lambda: place(services, key)], daemon=True).start()
    until("the order is placed", lambda: placed_under(services, key))
    return placed_under(services, key)


def placed_under(services, key):
    try:
        return json.loads(call(services, "order", "GET", f"/api/v1/orders?idempotency_key={key}"))
    except urllib.error.HTTPError as why:
        if why.code != 404:
            raise
        return None


def play(services, service, plays):
    """Tells a service that is played what to do; all else it does as usual."""
    try:
        call(services, service, "POST", "/_plays", plays)
    except urllib.error.HTTPError as why:
        if why.code == 404:
            raise Unable(f"{service} is the real one: verify order with `--system tests/contracts/order.yaml`") from why
        raise


def declared(provider, route, problem, status=None, **members):
    """The interaction in which a provider's contract with order has this problem: what it does not have it never says."""
    path = pathlib.Path(__file__).parents[2] / "contracts" / f"order-{provider}.json"
    for of in json.loads(path.read_text(encoding="utf-8"))["interactions"]:
        answer = of["response"]
        body = answer.get("body", {}).get("content", {})
        says = body.get("type", "").endswith("/" + problem) and status in (None, answer["status"])
        if f"{of['request']['method']} {of['request']['path']}" == route and says:
            if all(body.get(name) == value for name, value in members.items()):
                return of["description"]
    raise Unable(f"{path.name} has no such answer to `{route}` as {problem} {status or ''} {members or ''}")


def problem_of(ask):
    """The kind of problem that is answered, if one is."""
    try:
        ask()
        return None
    except urllib.error.HTTPError as why:
        return json.loads(why.read()).get("type", "").rsplit("/", 1)[-1]
    except OSError:
        # The service is gone, and with it the state.
        return None


def until(what, holds):
    latest = time.monotonic() + 9
    while not holds():
        if time.monotonic() > latest:
            raise Unable(f"it was not to be seen within 9 s that {what}")
        time.sleep(0.005)


class Unable(Exception):
    """Why a state cannot be set here."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        setup = STATES.get(asked["state"])
        if setup is None:
            return self.answer(404, {"unknown": asked["state"]})
        try:
            # All that was set is gone with the provider's store, but for a lock.
            values = {}
            if asked["action"] == "setup":
                of_provider = {"provider": asked["provider"]} if "provider" in setup.__code__.co_varnames else {}
                values = setup(asked.get("params", {}), asked["services"], **of_provider)
            elif asked["services"][asked["provider"]]["url"] in LOCKED:
                LOCKED.pop(asked["services"][asked["provider"]]["url"]).close()
            return self.answer(200, values or {})
        except Unable as why:
            return self.answer(500, str(why))
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
