-- What is due at a time.

-- name: upsert_timer
-- id, wake_at, kind, key, payload, principal, integrity, readers
INSERT INTO timers (id, wake_at, kind, key, condition, payload, rearm, principal, integrity, readers)
VALUES (?1, ?2, ?3, ?4, '', ?5, '', ?6, ?7, ?8)
ON CONFLICT (id) DO UPDATE SET wake_at = excluded.wake_at, payload = excluded.payload;

-- Earliest first.
-- name: load_timers
-- kind
SELECT m.id, m.wake_at, m.kind, m.key, m.payload, p.tenant, p."user", p.agent, p.origin,
       m.integrity, m.readers
FROM timers m JOIN principals p ON p.no = m.principal
WHERE m.kind = ?1 ORDER BY m.wake_at, m.id;
