-- name: add_run!
INSERT INTO runs (
  id, pipeline, pipeline_version, state, user, priority, fail_fast, concurrency, retry_of, created_at,
  started_at, ended_at, jobs_total, jobs_left, reason
) VALUES (
  :id, :pipeline, :pipeline_version, :state, :user, :priority, :fail_fast, :concurrency, :retry_of,
  :created_at, :started_at, :ended_at, :jobs_total, :jobs_left, :reason
);

-- name: add_run_order!
INSERT INTO run_orders (run_id, parameters, output, source)
VALUES (:id, :parameters, :output, :source);

-- name: add_secret*!
INSERT INTO run_secrets (run_id, key, sealed) VALUES (:run_id, :key, :sealed);

-- name: secrets_of
SELECT key, sealed FROM run_secrets WHERE run_id = :run_id;

-- name: add_label*!
INSERT INTO run_labels (run_id, key, value) VALUES (:run_id, :key, :value);

-- name: run^
SELECT * FROM runs JOIN run_orders ON run_orders.run_id = runs.id WHERE runs.id = :id;

-- name: labels_of
SELECT key, value FROM run_labels WHERE run_id = :run_id ORDER BY key;

-- name: groups
-- Runs by the value of their label `group`, counted by state; the newest groups first. The names are
-- found one by one in the index, not by reading every label. A run that was retried does not count.
-- CROSS JOIN keeps SQLite from beginning with every labelled run.
WITH RECURSIVE
names (name) AS (
  SELECT min(value) FROM run_labels WHERE key = 'group'
  UNION ALL
  SELECT (SELECT min(value) FROM run_labels WHERE key = 'group' AND value > names.name)
    FROM names WHERE names.name IS NOT NULL
),
found (name, newest) AS MATERIALIZED (
  SELECT name, (SELECT max(run_id) FROM run_labels WHERE key = 'group' AND value = names.name)
    FROM names WHERE name IS NOT NULL
),
page (name, newest) AS MATERIALIZED (
  SELECT name, newest FROM found WHERE newest < :before ORDER BY newest DESC LIMIT :limit
),
members AS MATERIALIZED (
  SELECT page.name, page.newest, runs.id, runs.state, runs.pipeline, runs.created_at,
         runs.ended_at, runs.retry_of
    FROM page
    CROSS JOIN run_labels ON run_labels.key = 'group' AND run_labels.value = page.name
    JOIN runs ON runs.id = run_labels.run_id
)
SELECT name, newest, state, pipeline, count(*) AS runs, min(created_at) AS created_at,
       max(ended_at) AS ended_at
  FROM members
 WHERE id NOT IN (SELECT retry_of FROM members WHERE retry_of IS NOT NULL)
 GROUP BY newest, name, state, pipeline ORDER BY newest DESC, min(id);

-- name: ended_runs_before
-- Ended runs older than the given moment, oldest first.
SELECT id FROM runs WHERE ended_at < :moment ORDER BY ended_at, id LIMIT :limit;

-- name: unfinished_runs
SELECT runs.*, parameters, NULL AS output, source FROM runs
  JOIN run_orders ON run_orders.run_id = runs.id
 WHERE state IN ('queued', 'running', 'aborting') ORDER BY id;

-- name: waiting_runs
-- Runs held back by their pipeline's limit, in the order in which they may go.
SELECT runs.*, parameters, NULL AS output, source FROM runs
  JOIN run_orders ON run_orders.run_id = runs.id
 WHERE pipeline = :pipeline AND state = 'queued' ORDER BY priority DESC, id LIMIT :limit;

-- name: count_active^
SELECT count(*) FROM runs WHERE pipeline = :pipeline AND state IN ('running', 'aborting');

-- name: ids_from
-- Ids of runs, and of jobs, that start with a prefix (upper: the first string past it).
SELECT id FROM runs WHERE id >= :prefix AND id < :upper
UNION ALL SELECT id FROM jobs WHERE id >= :prefix AND id < :upper
LIMIT :limit;

-- name: latest_run^
SELECT max(id) FROM runs;

-- name: move_run^
-- Compare and set: a row only if nobody moved the run first.
UPDATE runs SET state = :state, started_at = :started_at, ended_at = :ended_at, reason = :reason
 WHERE id = :id AND state = :from_state
RETURNING id;

-- name: count_down^
-- Jobs of the run have ended.
UPDATE runs SET jobs_left = jobs_left - :jobs, jobs_failed = jobs_failed + :failed
 WHERE id = :id
RETURNING jobs_left;

-- name: delete_run!
DELETE FROM runs WHERE id = :id;

-- name: delete_events_before_last!
-- The last one stays: it says that the run was deleted.
DELETE FROM events WHERE stream = :stream
   AND number < (SELECT max(number) FROM events WHERE stream = :stream);
