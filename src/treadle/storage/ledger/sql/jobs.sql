-- name: add_job*!
INSERT INTO jobs (
  id, run_id, step, tool_id, execution, cpus, memory_bytes, gpus, state, position, user, priority,
  attempt, parents_left, reason, created_at
) VALUES (
  :id, :run_id, :step, :tool_id, :execution, :cpus, :memory_bytes, :gpus, :state, :position,
  :user, :priority, :attempt, :parents_left, :reason, :created_at
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
-- Compare and set, fenced by state, attempt and owner: a row only if nobody moved the job first.
-- The plus keeps SQLite from planning anew for each state that is bound, because of the partial
-- indexes on it: 20 microseconds instead of 90.
UPDATE jobs SET
  state = :state, attempt = :attempt, owner = :owner, failures = :failures, losses = :losses,
  reason = :reason, not_before = :not_before, started_at = :started_at, ended_at = :ended_at,
  failure = :failure
 WHERE id = :id AND +state = :from_state AND attempt = :from_attempt AND owner IS :from_owner
RETURNING id;

-- name: lease_job^
-- As move_job. Columns left alone spare the indexes on them.
UPDATE jobs SET
  state = :state, attempt = :attempt, owner = :owner, reason = :reason, leased_at = :leased_at,
  started_at = :started_at
 WHERE id = :id AND +state = :from_state AND attempt = :from_attempt AND owner IS :from_owner
RETURNING id;

-- name: start_job^
-- As move_job.
UPDATE jobs SET state = :state, reason = :reason, started_at = :started_at
 WHERE id = :id AND +state = :from_state AND attempt = :from_attempt AND owner IS :from_owner
RETURNING id;

-- name: complete_job^
-- As move_job.
UPDATE jobs SET state = :state, owner = :owner, reason = :reason, ended_at = :ended_at
 WHERE id = :id AND +state = :from_state AND attempt = :from_attempt AND owner IS :from_owner
RETURNING id;

-- name: move_unowned*!
-- As move_job, of jobs that nobody owns.
UPDATE jobs SET state = :state, reason = :reason, ended_at = :ended_at
 WHERE id = :id AND +state = :from_state AND attempt = :from_attempt AND owner IS NULL;

-- name: explain_job!
-- Why a job that is being prepared has not started yet; fenced as move_job is.
UPDATE jobs SET reason = :reason
 WHERE id = :id AND +state = :state AND attempt = :attempt AND owner IS :owner;

-- name: explain_too_large!
-- Queued jobs that ask for more than there is in all.
UPDATE jobs SET reason = :reason
 WHERE state = 'queued' AND (cpus > :cpus OR memory_bytes > :memory_bytes OR gpus > :gpus);

-- name: queued_jobs
-- The head of the queue, of what fits: higher priority first, then older.
SELECT * FROM jobs
 WHERE state = 'queued' AND user = :user AND cpus <= :cpus AND memory_bytes <= :memory_bytes AND gpus <= :gpus
 ORDER BY priority DESC, id LIMIT :limit;

-- name: users_in_queue
-- Found one by one in the index, not by reading the queue.
WITH RECURSIVE users (name) AS (
  SELECT (SELECT user FROM jobs WHERE state = 'queued' ORDER BY user LIMIT 1)
  UNION ALL
  SELECT (SELECT user FROM jobs WHERE state = 'queued' AND user > name ORDER BY user LIMIT 1)
    FROM users WHERE name IS NOT NULL
)
SELECT name FROM users WHERE name IS NOT NULL;

-- name: heads_of_queue
-- Of each user in the queue the first job.
WITH RECURSIVE users (name) AS (
  SELECT (SELECT user FROM jobs WHERE state = 'queued' ORDER BY user LIMIT 1)
  UNION ALL
  SELECT (SELECT user FROM jobs WHERE state = 'queued' AND user > name ORDER BY user LIMIT 1)
    FROM users WHERE name IS NOT NULL
)
SELECT user, priority, id FROM users JOIN jobs ON jobs.id = (
  SELECT id FROM jobs WHERE state = 'queued' AND user = name ORDER BY priority DESC, id LIMIT 1
);

-- name: count_queued
-- By user. Reads the whole queue, in its index.
SELECT user, count(*) FROM jobs WHERE state = 'queued' GROUP BY user;

-- name: count_unended_jobs^
SELECT (SELECT coalesce(sum(jobs_left), 0) FROM runs
         WHERE state IN ('queued', 'running', 'aborting'))
     + (SELECT count(*) FROM jobs WHERE run_id IS NULL AND ended_at IS NULL);

-- name: leased_jobs
-- Found through what has not ended, at a start and an end: an index of their own would cost each
-- step more.
SELECT jobs.* FROM runs JOIN jobs ON jobs.run_id = runs.id
 WHERE runs.state IN ('running', 'aborting') AND jobs.owner NOT NULL
UNION ALL SELECT * FROM jobs WHERE run_id IS NULL AND ended_at IS NULL AND owner NOT NULL;

-- name: active_in_group
-- Jobs under way of the runs with a label, of some runs that follow each other.
SELECT jobs.* FROM run_labels
  JOIN runs ON runs.id = run_labels.run_id
  JOIN jobs ON jobs.run_id = runs.id
 WHERE run_labels.key = :key AND run_labels.value = :value
   AND run_labels.run_id BETWEEN :first AND :last
   AND runs.state IN ('running', 'aborting') AND jobs.owner NOT NULL
 ORDER BY run_labels.run_id, jobs.position;

-- name: began_in_group
-- When the first step of each run with a label started, of some runs that follow each other.
SELECT jobs.run_id, min(jobs.started_at) AS began FROM run_labels
  JOIN jobs ON jobs.run_id = run_labels.run_id
 WHERE run_labels.key = :key AND run_labels.value = :value
   AND run_labels.run_id BETWEEN :first AND :last
 GROUP BY run_labels.run_id;

-- name: jobs_backing_off
SELECT * FROM jobs WHERE not_before NOT NULL AND state = 'waiting' ORDER BY not_before;

-- name: unended_calls
-- Jobs without a run that have not ended.
SELECT * FROM jobs
 WHERE run_id IS NULL AND ended_at IS NULL ORDER BY id;

-- name: promote_children
-- One parent of these jobs is done; those that wait for no other are queued. Compare and set.
UPDATE jobs SET
  parents_left = parents_left - 1,
  state = iif(parents_left = 1, :queued, state),
  reason = iif(parents_left = 1, :reason, reason)
 WHERE id IN (SELECT child FROM edges WHERE parent = :parent) AND +state = :waiting
RETURNING *;

-- name: waiting_descendants
-- All that waits, directly or not, for the job.
WITH RECURSIVE below (id) AS (
  SELECT child FROM edges WHERE parent = :parent
  UNION SELECT edges.child FROM edges JOIN below ON edges.parent = below.id
)
SELECT jobs.* FROM below JOIN jobs ON jobs.id = below.id
 WHERE jobs.state = 'waiting' ORDER BY jobs.position;

-- name: close_attempt!
-- An attempt is over; its primary key sees to it that it is so only once.
INSERT INTO attempts (
  job_id, number, owner, leased_at, started_at, ended_at, "end", failure, peak_memory_bytes,
  cpu_seconds
) VALUES (
  :job_id, :number, :owner, :leased_at, :started_at, :at, :end, :failure, :peak_memory_bytes,
  :cpu_seconds
);

-- name: attempts_of
SELECT * FROM attempts WHERE job_id = :job_id ORDER BY number;

-- name: add_output*!
INSERT INTO outputs (job_id, name, digest, size_bytes, media_type, codec, inline)
VALUES (:job_id, :name, :digest, :size_bytes, :media_type, :codec, :inline);

-- name: copy_outputs*!
INSERT INTO outputs (job_id, name, digest, size_bytes, media_type, codec, inline)
SELECT :new, name, digest, size_bytes, media_type, codec, inline FROM outputs WHERE job_id = :old;

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
-- Never the newest of all, so that no cursor is given out again.
DELETE FROM events WHERE cursor < (SELECT max(cursor) FROM events) AND stream IN (
  SELECT id FROM jobs WHERE run_id IS NULL AND ended_at < :moment
);

-- name: calls_looked_at^
-- Up to which call a page looks: all have the position 0, so that the index has them by id.
SELECT id FROM jobs INDEXED BY jobs_by_position
 WHERE run_id IS NULL AND position = 0 AND id < :before ORDER BY id DESC LIMIT 1 OFFSET :others;

-- name: calls
-- Jobs without a run, the newest first. No state's name is part of another's.
SELECT * FROM jobs INDEXED BY jobs_by_position
 WHERE run_id IS NULL AND position = 0 AND id < :before AND id >= :last
   AND (:states IS NULL OR instr(:states, state)) AND (:user IS NULL OR user = :user)
 ORDER BY id DESC LIMIT :limit;

-- name: jobs_of_run
-- A page of them, in the order of the steps.
SELECT * FROM jobs INDEXED BY jobs_by_position
 WHERE run_id = :run_id AND position > :after
   AND (:states IS NULL OR instr(:states, state)) AND (:user IS NULL OR user = :user)
 ORDER BY position LIMIT :limit;

-- name: delete_edges_of_run!
DELETE FROM edges WHERE child IN (SELECT id FROM jobs WHERE run_id = :run_id);

-- name: delete_attempts_of_run!
DELETE FROM attempts WHERE job_id IN (SELECT id FROM jobs WHERE run_id = :run_id);

-- name: delete_outputs_of_run!
DELETE FROM outputs WHERE job_id IN (SELECT id FROM jobs WHERE run_id = :run_id);

-- name: delete_arguments_of_run!
DELETE FROM job_arguments WHERE job_id IN (SELECT id FROM jobs WHERE run_id = :run_id);

-- name: delete_metrics_of_run!
DELETE FROM metrics WHERE job_id IN (SELECT id FROM jobs WHERE run_id = :run_id);

-- name: delete_blobs_of_run!
DELETE FROM job_blobs WHERE job_id IN (SELECT id FROM jobs WHERE run_id = :run_id);
