-- name: add_token!
INSERT INTO tokens (id, name, user, hash, scopes, created_at, expires_at)
VALUES (:id, :name, :user, :hash, :scopes, :created_at, :expires_at);

-- name: tokens
SELECT * FROM tokens ORDER BY created_at, id;

-- name: find_token^
SELECT * FROM tokens WHERE id = :id;

-- name: revoke_token!
UPDATE tokens SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL;

-- name: touch_token!
UPDATE tokens SET used_at = :at WHERE id = :id;

-- name: claimed^
SELECT fingerprint, made FROM claims WHERE user = :user AND key = :key;

-- name: claim!
INSERT INTO claims (user, key, fingerprint, made, at)
VALUES (:user, :key, :fingerprint, :made, :at);

-- name: delete_old_claims!
DELETE FROM claims WHERE at < :moment;
