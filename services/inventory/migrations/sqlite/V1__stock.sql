-- What arrived, what may be promised, what is promised, what is sold. The law of conservation is a
-- constraint, so that no statement can leave the table without it.
CREATE TABLE stock (
  sku TEXT NOT NULL PRIMARY KEY,
  received BIGINT NOT NULL,
  on_hand BIGINT NOT NULL,
  reserved BIGINT NOT NULL,
  sold BIGINT NOT NULL,
  CHECK (on_hand >= 0 AND reserved >= 0 AND sold >= 0),
  CHECK (received = on_hand + reserved + sold)
);

-- One delivery of goods, counted once however often it is told.
CREATE TABLE receipts (
  sku TEXT NOT NULL,
  receipt TEXT NOT NULL,
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (sku, receipt)
);

-- One row per order for ever: a released row, items or none, is the tombstone that refuses a late reservation.
CREATE TABLE reservations (
  order_id TEXT NOT NULL PRIMARY KEY,
  status TEXT NOT NULL CHECK (status IN ('held', 'committed', 'released')),
  at_ms BIGINT NOT NULL
);

CREATE TABLE reservation_items (
  order_id TEXT NOT NULL REFERENCES reservations (order_id),
  sku TEXT NOT NULL REFERENCES stock (sku),
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, sku)
);

-- The events consumed, and what each did. Written in the transaction of the effect.
CREATE TABLE inbox (
  source TEXT NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  order_id TEXT NOT NULL,
  effect TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (source, id)
);
