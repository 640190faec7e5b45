-- The lists that the runs list is read from: each in the order of one index, which is named, for
-- SQLite would sort where it thinks that better. `ledger/listing.py` adds conditions and order.

-- name: list_every
SELECT runs.id AS id FROM runs NOT INDEXED
 WHERE runs.id > :above AND runs.id < :below

-- name: list_in_state
SELECT runs.id AS id FROM runs INDEXED BY runs_by_state
 WHERE runs.state = :state AND runs.id > :above AND runs.id < :below

-- name: list_of_pipeline
SELECT runs.id AS id FROM runs INDEXED BY runs_by_pipeline
 WHERE runs.pipeline = :pipeline AND runs.id > :above AND runs.id < :below

-- name: list_of_pipeline_in_state
SELECT runs.id AS id FROM runs INDEXED BY runs_by_pipeline_state
 WHERE runs.pipeline = :pipeline AND runs.state = :state AND runs.id > :above AND runs.id < :below

-- name: list_of_user
SELECT runs.id AS id FROM runs INDEXED BY runs_by_user
 WHERE runs.user = :user AND runs.id > :above AND runs.id < :below

-- name: list_of_label
-- CROSS JOIN keeps SQLite from beginning with the runs.
SELECT run_labels.run_id AS id FROM run_labels INDEXED BY run_labels_by_value
  CROSS JOIN runs ON runs.id = run_labels.run_id
 WHERE run_labels.key = :key AND run_labels.value = :value
   AND run_labels.run_id > :above AND run_labels.run_id < :below

-- name: list_ended
-- In the order of their ends.
SELECT runs.id AS id FROM runs INDEXED BY runs_by_end
 WHERE runs.ended_at NOT NULL
   AND (runs.ended_at, runs.id) > (:ended_above, :id_above)
   AND (runs.ended_at, runs.id) < (:ended_below, :id_below)
   AND runs.id > :above AND runs.id < :below

-- name: list_among
-- Of a few ids.
SELECT runs.id AS id FROM json_each(:ids) AS few CROSS JOIN runs ON runs.id = few.value
 WHERE runs.id > :above AND runs.id < :below

-- name: runs_of_ids
-- A page's rows, in its order.
SELECT runs.*, parameters, NULL AS output, source FROM json_each(:ids) AS page
  CROSS JOIN runs ON runs.id = page.value
  JOIN run_orders ON run_orders.run_id = runs.id
 ORDER BY page.key;

-- name: labels_of_ids
SELECT run_id, run_labels.key AS key, run_labels.value AS value FROM json_each(:ids) AS page
  CROSS JOIN run_labels ON run_labels.run_id = page.value;
