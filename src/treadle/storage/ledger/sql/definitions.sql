-- name: add_tool!
-- The same definition again is no change.
INSERT INTO tools (id, name, version, definition, code_digest, added_at)
VALUES (:id, :name, :version, :definition, :code_digest, :at)
ON CONFLICT (id) DO NOTHING;

-- name: tool_definition^
SELECT definition FROM tools WHERE id = :id;

-- name: newest_tool^
-- Of a name, or of a name and version.
SELECT id FROM tools
WHERE name = :name AND (:version IS NULL OR version = :version)
ORDER BY added_at DESC, id DESC LIMIT 1;

-- name: add_pipeline!
INSERT INTO pipelines (name, version, description, parameters_schema, added_at)
VALUES (:name, :version, :description, :parameters_schema, :at)
ON CONFLICT (name, version) DO NOTHING;

-- name: add_snapshot!
INSERT INTO snapshots (digest, added_at) VALUES (:digest, :at)
ON CONFLICT (digest) DO UPDATE SET added_at = excluded.added_at;

-- name: renew_snapshot^
UPDATE snapshots SET added_at = :at WHERE digest = :digest RETURNING digest;

-- name: add_snapshot_file*!
INSERT INTO snapshot_files (snapshot, digest) VALUES (:snapshot, :digest)
ON CONFLICT DO NOTHING;

-- name: add_owner!
INSERT INTO owners (id, pid, started_at) VALUES (:id, :pid, :at);

-- name: tool_names
-- By name. Names are found one by one in the index, not by reading every definition.
WITH RECURSIVE names (name) AS (
  SELECT (SELECT min(name) FROM tools WHERE name > :after AND name >= :prefix AND name < :upper)
  UNION ALL
  SELECT (SELECT min(name) FROM tools WHERE name > names.name AND name < :upper)
    FROM names WHERE names.name NOT NULL
  LIMIT :limit
)
SELECT names.name, newest.definition, newest.added_at,
       (SELECT count(DISTINCT version) FROM tools WHERE tools.name = names.name) AS versions
  FROM names
  JOIN tools AS newest ON newest.id = (
    SELECT id FROM tools WHERE tools.name = names.name ORDER BY added_at DESC, id DESC LIMIT 1
  )
 ORDER BY names.name;

-- name: tools_of_name
-- The newest first. They are sorted, for nobody has so many of one name that it costs.
SELECT definition, added_at FROM tools
 WHERE name = :name AND (added_at, id) < (:added_below, :id_below)
 ORDER BY added_at DESC, id DESC LIMIT :limit;

-- name: tool_of_version^
-- The newest, where several have the same label for a version; or the one of that id.
SELECT definition, added_at FROM tools
 WHERE name = :name AND (version = :version OR id = :version)
 ORDER BY added_at DESC, id DESC LIMIT 1;

-- name: pipeline_names
-- By name, as tool_names.
WITH RECURSIVE names (name) AS (
  SELECT (SELECT min(name) FROM pipelines
           WHERE name > :after AND name >= :prefix AND name < :upper)
  UNION ALL
  SELECT (SELECT min(name) FROM pipelines WHERE name > names.name AND name < :upper)
    FROM names WHERE names.name NOT NULL
  LIMIT :limit
)
SELECT newest.*,
       (SELECT count(*) FROM pipelines WHERE pipelines.name = names.name) AS versions,
       (SELECT count(*) FROM runs INDEXED BY runs_by_pipeline
         WHERE runs.pipeline = names.name) AS runs,
       (SELECT max(id) FROM runs INDEXED BY runs_by_pipeline
         WHERE runs.pipeline = names.name) AS last_run
  FROM names
  JOIN pipelines AS newest ON newest.name = names.name AND newest.version = (
    SELECT version FROM pipelines WHERE pipelines.name = names.name
     ORDER BY added_at DESC, version DESC LIMIT 1
  )
 ORDER BY names.name;

-- name: pipelines_of_name
-- The newest first.
SELECT * FROM pipelines
 WHERE name = :name AND (added_at, version) < (:added_below, :version_below)
 ORDER BY added_at DESC, version DESC LIMIT :limit;

-- name: pipeline_of_version^
SELECT * FROM pipelines WHERE name = :name AND version = :version;

-- name: last_run_of_version^
-- Found in the index alone.
SELECT id FROM runs INDEXED BY runs_by_pipeline
 WHERE pipeline = :name AND pipeline_version = :version ORDER BY id DESC LIMIT 1;
