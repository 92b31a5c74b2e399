-- One row per order for ever. A closed order takes no further charge: that is what makes a void of a
-- payment which never came a tombstone for the one that comes late. The row is also the lock of its order.
-- Names are compared byte by byte, as SQLite does.
CREATE TABLE orders (
  order_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  closed BOOLEAN NOT NULL,
  at_ms BIGINT NOT NULL
);

-- One row per idempotency key for ever: what was asked under it, and how it ended. Refusals too, so that
-- the same question has the same answer.
CREATE TABLE charges (
  idempotency_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  payment_id TEXT COLLATE "C" NOT NULL UNIQUE,
  order_id TEXT COLLATE "C" NOT NULL REFERENCES orders (order_id),
  amount BIGINT NOT NULL CHECK (amount > 0),
  currency TEXT NOT NULL,
  payment_method TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('captured', 'card-declined', 'insufficient-funds', 'payment-voided')),
  refunded BOOLEAN NOT NULL CHECK (NOT refunded OR outcome = 'captured'),
  at_ms BIGINT NOT NULL
);

CREATE INDEX charges_by_order ON charges (order_id, outcome);
