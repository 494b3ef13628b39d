-- Settings and transactions of one connection. {value} is filled in from the store's options.

-- name: set_journal_mode
PRAGMA journal_mode = WAL;
-- name: get_journal_mode
PRAGMA journal_mode;

-- In WAL mode NORMAL syncs at checkpoints only: what is written is in the kernel's cache, so the
-- death of the process loses nothing, and a power cut loses the last commits but never the order.
-- name: set_synchronous
PRAGMA synchronous = {value};
-- name: get_synchronous
PRAGMA synchronous;

-- name: set_foreign_keys
PRAGMA foreign_keys = ON;
-- name: get_foreign_keys
PRAGMA foreign_keys;

-- name: set_busy_timeout
PRAGMA busy_timeout = {value};
-- name: get_busy_timeout
PRAGMA busy_timeout;

-- Negative: KiB.
-- name: set_cache_size
PRAGMA cache_size = {value};
-- name: get_cache_size
PRAGMA cache_size;

-- The writer checkpoints itself, after it has told the callers that their batches are durable.
-- name: set_wal_autocheckpoint
PRAGMA wal_autocheckpoint = 0;
-- name: get_wal_autocheckpoint
PRAGMA wal_autocheckpoint;

-- A WAL that one large batch made long is cut to this many bytes at the next restart of the log.
-- name: set_journal_size_limit
PRAGMA journal_size_limit = {value};
-- name: get_journal_size_limit
PRAGMA journal_size_limit;

-- name: set_query_only
PRAGMA query_only = ON;
-- name: get_query_only
PRAGMA query_only;

-- The writer's transaction: every batch of a group within a savepoint of its own.
-- name: begin
BEGIN IMMEDIATE;
-- name: commit
COMMIT;
-- name: rollback
ROLLBACK;
-- name: savepoint
SAVEPOINT batch;
-- name: savepoint_release
RELEASE batch;
-- name: savepoint_rollback
ROLLBACK TO batch;
