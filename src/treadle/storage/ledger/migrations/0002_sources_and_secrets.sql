-- Where a run's code was, and what must never be read here.

ALTER TABLE run_orders ADD COLUMN source TEXT CHECK (source IS NULL OR json_valid(source));

CREATE TABLE run_secrets (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
