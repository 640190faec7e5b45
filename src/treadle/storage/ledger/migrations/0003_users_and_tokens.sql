-- Whose runs and jobs are whose, who may ask, and what was made for which request.

ALTER TABLE runs ADD COLUMN user TEXT NOT NULL DEFAULT 'owner';
ALTER TABLE jobs ADD COLUMN user TEXT NOT NULL DEFAULT 'owner';

-- What the runs list reads: each in its order, with what else may be asked for beside.
DROP INDEX runs_by_end;
DROP INDEX runs_by_state;
DROP INDEX runs_by_pipeline;
DROP INDEX runs_by_pipeline_state;
CREATE INDEX runs_by_end ON runs (ended_at, id, state, pipeline, user) WHERE ended_at NOT NULL;
CREATE INDEX runs_by_state ON runs (state, id, user);
CREATE INDEX runs_by_pipeline ON runs (pipeline, id, user, pipeline_version);
CREATE INDEX runs_by_pipeline_state ON runs (pipeline, state, id, user);
CREATE INDEX runs_by_user ON runs (user, id);

-- The queue, by user: each has a head of its own, so that users can take turns.
DROP INDEX jobs_in_queue;
CREATE INDEX jobs_in_queue ON jobs (user, priority DESC, id) WHERE state = 'queued';

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  user TEXT NOT NULL,
  hash BLOB NOT NULL,
  scopes TEXT NOT NULL CHECK (json_valid(scopes)),
  created_at REAL NOT NULL,
  expires_at REAL,
  revoked_at REAL,
  used_at REAL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_token_of_a_name ON tokens (name) WHERE revoked_at IS NULL;

-- Idempotency keys: what a request with this key made.
CREATE TABLE claims (
  user TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  made TEXT NOT NULL, -- a run's id, or a job's
  at REAL NOT NULL,
  PRIMARY KEY (user, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_age ON claims (at);
