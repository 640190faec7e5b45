-- The first schema. Times are seconds since 1970 (UTC); JSON is text.

CREATE TABLE owners (
  id TEXT PRIMARY KEY,
  pid INTEGER NOT NULL,
  started_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tools (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  definition TEXT NOT NULL CHECK (json_valid(definition)),
  code_digest TEXT NOT NULL,
  added_at REAL NOT NULL
) STRICT;
CREATE INDEX tools_by_name ON tools (name, version);

CREATE TABLE pipelines (
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  description TEXT NOT NULL,
  parameters_schema TEXT NOT NULL CHECK (json_valid(parameters_schema)),
  added_at REAL NOT NULL,
  PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (digest TEXT PRIMARY KEY, added_at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot_files (
  snapshot TEXT NOT NULL REFERENCES snapshots (digest) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  PRIMARY KEY (snapshot, digest)
) STRICT, WITHOUT ROWID;

-- What moves stands here, in short rows; what was asked for once stands in run_orders.
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  pipeline TEXT NOT NULL,
  pipeline_version TEXT NOT NULL,
  state TEXT NOT NULL CHECK (
    state IN ('queued', 'running', 'aborting', 'completed', 'failed', 'aborted')
  ),
  priority INTEGER NOT NULL,
  fail_fast INTEGER NOT NULL CHECK (fail_fast IN (0, 1)),
  concurrency INTEGER CHECK (concurrency > 0),
  retry_of TEXT,
  created_at REAL NOT NULL,
  started_at REAL,
  ended_at REAL,
  jobs_total INTEGER NOT NULL,
  jobs_left INTEGER NOT NULL CHECK (jobs_left >= 0),
  jobs_failed INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '',
  CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'failed', 'aborted'))),
  FOREIGN KEY (pipeline, pipeline_version) REFERENCES pipelines (name, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_state ON runs (state, id);
CREATE INDEX runs_by_end ON runs (ended_at, id) WHERE ended_at NOT NULL;
CREATE INDEX runs_by_pipeline ON runs (pipeline, id);
CREATE INDEX runs_by_pipeline_state ON runs (pipeline, state, id);

CREATE TABLE run_orders (
  run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  parameters TEXT NOT NULL CHECK (json_valid(parameters)),
  output TEXT CHECK (output IS NULL OR json_valid(output))
) STRICT, WITHOUT ROWID;

CREATE TABLE run_labels (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_labels_by_value ON run_labels (key, value, run_id);

-- Short rows too; what was asked for once stands in job_arguments.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  run_id TEXT REFERENCES runs (id) ON DELETE CASCADE,
  step TEXT NOT NULL,
  tool_id TEXT NOT NULL REFERENCES tools (id),
  execution TEXT CHECK (execution IS NULL OR json_valid(execution)), -- NULL: as the tool says
  cpus REAL NOT NULL CHECK (cpus >= 0),
  memory_bytes INTEGER NOT NULL CHECK (memory_bytes >= 0), -- 0: no limit asked for
  gpus INTEGER NOT NULL CHECK (gpus >= 0),
  state TEXT NOT NULL CHECK (
    state IN (
      'waiting', 'queued', 'preparing', 'running', 'aborting',
      'completed', 'failed', 'aborted', 'skipped', 'reused'
    )
  ),
  position INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  attempt INTEGER NOT NULL CHECK (attempt >= 0),
  owner TEXT REFERENCES owners (id),
  parents_left INTEGER NOT NULL CHECK (parents_left >= 0),
  failures INTEGER NOT NULL DEFAULT 0,
  losses INTEGER NOT NULL DEFAULT 0,
  reason TEXT NOT NULL DEFAULT '',
  not_before REAL,
  created_at REAL NOT NULL,
  leased_at REAL,
  started_at REAL,
  ended_at REAL,
  failure TEXT CHECK (failure IS NULL OR json_valid(failure)),
  progress_done REAL,
  progress_total REAL,
  CHECK ((owner IS NOT NULL) = (state IN ('preparing', 'running', 'aborting'))),
  CHECK (
    (ended_at IS NOT NULL) = (state IN ('completed', 'failed', 'aborted', 'skipped', 'reused'))
  ),
  CHECK (state <> 'queued' OR parents_left = 0)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_step_of_a_name ON jobs (run_id, step) WHERE run_id IS NOT NULL;
CREATE INDEX jobs_by_position ON jobs (run_id, position);
CREATE INDEX jobs_in_queue ON jobs (priority DESC, id) WHERE state = 'queued';
CREATE INDEX jobs_without_run ON jobs (ended_at, id) WHERE run_id IS NULL;
CREATE INDEX jobs_by_tool ON jobs (tool_id);
CREATE INDEX jobs_backing_off ON jobs (not_before) WHERE not_before NOT NULL;

CREATE TABLE job_arguments (
  job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  arguments TEXT NOT NULL CHECK (json_valid(arguments))
) STRICT, WITHOUT ROWID;

-- Blobs that a job's arguments name.
CREATE TABLE job_blobs (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  PRIMARY KEY (job_id, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE edges (
  parent TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  child TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_by_child ON edges (child, parent);

-- Attempts that are over. One that is under way is its job's own row (attempt, owner, leased_at).
CREATE TABLE attempts (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK (number > 0),
  owner TEXT NOT NULL REFERENCES owners (id),
  leased_at REAL NOT NULL,
  started_at REAL,
  ended_at REAL NOT NULL,
  "end" TEXT NOT NULL CHECK ("end" IN ('completed', 'failed', 'aborted', 'lost')),
  failure TEXT CHECK (failure IS NULL OR json_valid(failure)),
  peak_memory_bytes INTEGER,
  cpu_seconds REAL,
  PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE outputs (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  media_type TEXT NOT NULL,
  codec TEXT NOT NULL,
  inline BLOB,
  PRIMARY KEY (job_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE metrics (
  id INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  name TEXT NOT NULL,
  step INTEGER,
  value REAL, -- NULL is NaN
  at REAL NOT NULL
) STRICT;
CREATE INDEX metrics_by_job ON metrics (job_id, id);

-- Cursors never repeat without AUTOINCREMENT, because deleting a run writes an event behind them.
CREATE TABLE events (
  cursor INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number > 0),
  at REAL NOT NULL,
  kind TEXT NOT NULL,
  job_id TEXT,
  data TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_in_order ON events (stream, number);
