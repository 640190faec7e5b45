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
