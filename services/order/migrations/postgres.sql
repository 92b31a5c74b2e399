-- Orders, their sagas' logs and their events; what the columns mean is the same as in sqlite.sql. Times are milliseconds
-- since 1970. JSON is TEXT, not JSONB: it is only ever read back whole, and a refusal's text may hold any character.

CREATE TABLE orders (
    seq             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id        TEXT    NOT NULL UNIQUE,
    idempotency_key TEXT    NOT NULL UNIQUE,
    customer_id     TEXT    NOT NULL,
    request         TEXT    NOT NULL,           -- JSON; what a repetition under the key must equal
    amount          BIGINT  NOT NULL,           -- minor units
    currency        TEXT    NOT NULL,
    quantity        BIGINT  NOT NULL,           -- pieces of all SKUs
    status          TEXT    NOT NULL,           -- pending, confirmed, cancelled
    cause           TEXT,                       -- JSON; why it is or was undone
    needs_attention BOOLEAN NOT NULL,
    cancel_asked    BOOLEAN NOT NULL,
    traceparent     TEXT    NOT NULL,
    correlation     TEXT    NOT NULL,
    owner           TEXT    NOT NULL,           -- the instance that drives the saga
    life            BIGINT  NOT NULL,           -- which life of that instance
    claim           BIGINT  NOT NULL,           -- raised by each take-over; every write names it
    page            BIGINT  NOT NULL,           -- the last page written under the claim, so that one may be written again
    lease_until     BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL,
    ended_at        BIGINT
);
CREATE INDEX orders_by_customer ON orders (customer_id, seq);
CREATE INDEX orders_by_status ON orders (status, seq);
-- Without the lease: each page changes it, and an indexed column that changes makes every page a new index entry.
CREATE INDEX orders_open ON orders (seq) WHERE status = 'pending';

CREATE TABLE saga_log (
    order_id TEXT   NOT NULL,
    n        BIGINT NOT NULL,                   -- from 1, per order
    kind     TEXT   NOT NULL,                   -- intent, result, undo_began, confirmed, cancelled
    action   TEXT,                              -- reserve, charge, refund, release
    outcome  TEXT,                              -- done, refused, nothing_sent, indeterminate
    detail   TEXT,                              -- JSON; the refusal, or the cause
    call_key TEXT,                              -- the idempotency key of an intended call
    times    BIGINT NOT NULL,                   -- later rounds of an undo are counted, not added
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    PRIMARY KEY (order_id, n)
);

CREATE TABLE outbox (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id     TEXT    NOT NULL,
    event        TEXT    NOT NULL,              -- JSON; a CloudEvent in structured mode
    traceparent  TEXT    NOT NULL,
    correlation  TEXT    NOT NULL,
    delivered    BOOLEAN NOT NULL
);
CREATE INDEX outbox_undelivered ON outbox (seq) WHERE NOT delivered;
CREATE INDEX outbox_by_order ON outbox (order_id, seq) WHERE NOT delivered;
