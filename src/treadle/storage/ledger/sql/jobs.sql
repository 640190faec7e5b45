-- name: add_job*!
INSERT INTO jobs (
  id, run_id, step, tool_id, execution, cpus, memory_bytes, gpus, state, position, priority,
  attempt, parents_left, reason, created_at
) VALUES (
  :id, :run_id, :step, :tool_id, :execution, :cpus, :memory_bytes, :gpus, :state, :position,
  :priority, :attempt, :parents_left, :reason, :created_at
);

-- name: add_arguments*!
INSERT INTO job_arguments (job_id, arguments) VALUES (:job_id, :arguments);

-- name: add_job_blob*!
INSERT INTO job_blobs (job_id, digest) VALUES (:job_id, :digest) ON CONFLICT DO NOTHING;

-- name: add_edge*!
INSERT INTO edges (parent, child) VALUES (:parent, :child);

-- name: job^
SELECT * FROM jobs WHERE id = :id;

-- name: arguments_of^
SELECT arguments FROM job_arguments WHERE job_id = :job_id;

-- name: jobs_of
SELECT * FROM jobs WHERE run_id = :run_id ORDER BY position;

-- name: arguments_in_run
SELECT job_id, arguments FROM job_arguments JOIN jobs ON jobs.id = job_id
 WHERE jobs.run_id = :run_id;

-- name: edges_of
SELECT edges.parent, edges.child FROM edges JOIN jobs ON jobs.id = edges.child
 WHERE jobs.run_id = :run_id;

-- name: move_job^
-- Compare and set, fenced by state, attempt and owner.
UPDATE jobs SET
  state = :state, attempt = :attempt, owner = :owner, failures = :failures, losses = :losses,
  reason = :reason, not_before = :not_before, started_at = :started_at, ended_at = :ended_at,
  failure = :failure
 WHERE id = :id AND state = :from_state AND attempt = :from_attempt AND owner IS :from_owner
RETURNING id;

-- name: set_reason!
UPDATE jobs SET reason = :reason WHERE id = :id AND state = :state;

-- name: queued_jobs
-- The head of the queue, of what fits: higher priority first, then older.
SELECT * FROM jobs
 WHERE state = 'queued' AND cpus <= :cpus AND memory_bytes <= :memory_bytes AND gpus <= :gpus
 ORDER BY priority DESC, id LIMIT :limit;

-- name: leased_jobs
SELECT * FROM jobs WHERE state IN ('preparing', 'running', 'aborting') ORDER BY id;

-- name: jobs_backing_off
SELECT * FROM jobs WHERE state = 'waiting' AND not_before NOT NULL ORDER BY not_before;

-- name: unended_calls
-- Jobs without a run that have not ended.
SELECT * FROM jobs
 WHERE run_id IS NULL AND ended_at IS NULL ORDER BY id;

-- name: count_off_children
-- One parent of these jobs is done.
UPDATE jobs SET parents_left = parents_left - 1
 WHERE id IN (SELECT child FROM edges WHERE parent = :parent) AND state = 'waiting'
RETURNING *;

-- name: waiting_descendants
-- All that waits, directly or not, for the job.
WITH RECURSIVE below (id) AS (
  SELECT child FROM edges WHERE parent = :parent
  UNION SELECT edges.child FROM edges JOIN below ON edges.parent = below.id
)
SELECT jobs.* FROM below JOIN jobs ON jobs.id = below.id
 WHERE jobs.state = 'waiting' ORDER BY jobs.position;

-- name: open_attempt!
INSERT INTO attempts (job_id, number, owner, leased_at)
VALUES (:job_id, :number, :owner, :at);

-- name: close_attempt!
UPDATE attempts SET
  started_at = :started_at, ended_at = :at, "end" = :end, failure = :failure, peak_memory_bytes = :peak_memory_bytes,
  cpu_seconds = :cpu_seconds
 WHERE job_id = :job_id AND number = :number AND ended_at IS NULL;

-- name: attempts_of
SELECT * FROM attempts WHERE job_id = :job_id ORDER BY number;

-- name: add_output*!
INSERT INTO outputs (job_id, name, digest, size_bytes, media_type, codec, inline)
VALUES (:job_id, :name, :digest, :size_bytes, :media_type, :codec, :inline);

-- name: outputs_of
SELECT name, digest, size_bytes, media_type, codec, inline FROM outputs WHERE job_id = :job_id;

-- name: inputs_of
-- What the job's parents put out.
SELECT jobs.step, outputs.name, digest, size_bytes, media_type, codec, inline
  FROM edges JOIN jobs ON jobs.id = edges.parent JOIN outputs ON outputs.job_id = edges.parent
 WHERE edges.child = :child;

-- name: delete_old_calls!
-- Jobs without a run that ended before the moment.
DELETE FROM jobs WHERE run_id IS NULL AND ended_at < :moment;

-- name: delete_events_of_old_calls!
DELETE FROM events WHERE stream IN (
  SELECT id FROM jobs WHERE run_id IS NULL AND ended_at < :moment
);
