-- name: add_event!
INSERT INTO events (stream, number, at, kind, job_id, data)
VALUES (:stream, :number, :at, :kind, :job_id, :data);

-- name: last_number^
SELECT coalesce(max(number), 0) FROM events WHERE stream = :stream;

-- name: last_cursor^
SELECT coalesce(max(cursor), 0) FROM events;

-- name: events_of_stream
SELECT * FROM events WHERE stream = :stream AND number > :after ORDER BY number LIMIT :limit;

-- name: events_of_all
SELECT * FROM events WHERE cursor > :after ORDER BY cursor LIMIT :limit;

-- name: add_metric*!
INSERT INTO metrics (job_id, attempt, name, step, value, at)
VALUES (:job_id, :attempt, :name, :step, :value, :at);

-- name: metrics_of_run
SELECT metrics.* FROM jobs JOIN metrics ON metrics.job_id = jobs.id
 WHERE jobs.run_id = :run_id AND metrics.id > :after ORDER BY metrics.id;

-- name: last_metrics_of_run
-- The last value of each metric of each job, in the order of the steps. (SQLite takes the other
-- columns from the row of the maximum.)
SELECT metrics.*, max(metrics.id) AS latest
  FROM jobs JOIN metrics ON metrics.job_id = jobs.id
 WHERE jobs.run_id = :run_id
 GROUP BY jobs.position, metrics.name ORDER BY jobs.position, latest;

-- name: metrics_of_job
-- The latest of them, in order; a negative limit is none.
SELECT * FROM (
  SELECT * FROM metrics WHERE job_id = :job_id AND id > :after ORDER BY id DESC LIMIT :limit
) ORDER BY id;

-- name: set_progress!
UPDATE jobs SET progress_done = :done, progress_total = :total WHERE id = :id;

-- name: referenced_digests
-- Every blob that something in the ledger still names, and those of young snapshots: somebody was
-- told that these are here, and may be about to submit.
SELECT digest FROM outputs WHERE inline IS NULL
UNION SELECT digest FROM job_blobs
UNION SELECT code_digest FROM tools WHERE id IN (SELECT tool_id FROM jobs)
UNION SELECT snapshot_files.digest FROM snapshot_files
  JOIN tools ON tools.code_digest = snapshot_files.snapshot
 WHERE tools.id IN (SELECT tool_id FROM jobs)
UNION SELECT snapshot_files.digest FROM snapshots
  JOIN snapshot_files ON snapshot_files.snapshot = snapshots.digest
 WHERE snapshots.added_at > CAST(strftime('%s', 'now') AS REAL) - 3600;

-- name: known_streams
-- Ids under which logs may still be wanted.
SELECT id FROM runs UNION ALL SELECT id FROM jobs WHERE run_id IS NULL;

-- name: known_jobs
SELECT id FROM jobs;

-- name: known_snapshots
-- Snapshots that some job is still pinned to.
SELECT DISTINCT code_digest FROM tools WHERE id IN (SELECT tool_id FROM jobs);

-- name: tools_of_unended_jobs
-- Their definitions, which name environments.
SELECT definition FROM tools WHERE id IN (SELECT tool_id FROM jobs WHERE ended_at IS NULL);

-- name: delete_unused_tools!
DELETE FROM tools WHERE added_at < :moment AND id NOT IN (SELECT tool_id FROM jobs);

-- name: delete_unused_snapshots!
DELETE FROM snapshots
 WHERE added_at < :moment AND digest NOT IN (SELECT code_digest FROM tools);

-- name: metrics_page
-- Of a job, in order.
SELECT * FROM metrics
 WHERE job_id = :job_id AND id > :after AND (:name IS NULL OR name = :name)
 ORDER BY id LIMIT :limit;

-- name: last_metrics_of_job
-- The last value of each. (SQLite takes the other columns from the row of the maximum.)
SELECT metrics.*, max(id) AS latest FROM metrics WHERE job_id = :job_id
 GROUP BY name ORDER BY latest;
