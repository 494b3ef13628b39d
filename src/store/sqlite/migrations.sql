-- Which migrations this database has been through.

-- name: create_schema_migrations
CREATE TABLE IF NOT EXISTS schema_migrations (
  number      INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,
  digest      TEXT NOT NULL,
  applied_at  INTEGER NOT NULL
) STRICT;

-- name: list_schema_migrations
SELECT number, name, digest FROM schema_migrations ORDER BY number;

-- name: insert_schema_migration
INSERT INTO schema_migrations (number, name, digest, applied_at) VALUES (?1, ?2, ?3, ?4);
