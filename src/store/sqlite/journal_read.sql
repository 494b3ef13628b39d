-- What the journal reads. Columns in the order the journal takes them apart.

-- name: find_first_arrival
-- source, dedupe_key, principal
SELECT e.id, t.id, s.id, e.payload_digest
FROM events e JOIN turns t ON t.no = e.no JOIN sessions s ON s.no = t.session
WHERE e.dedupe_key = ?2 AND e.source = ?1 AND e.principal = ?3;

-- name: load_turn
SELECT t.id, s.id, e.id, p.tenant, p."user", p.agent, p.origin, t.state, e.payload, t.answer,
       t.error, t.started_at, t.finished_at
FROM turns t JOIN events e ON e.no = t.no JOIN sessions s ON s.no = t.session
     JOIN principals p ON p.no = t.principal
WHERE t.id = ?1;

-- Oldest first, without payloads.
-- name: load_unfinished_turns
-- number of the turn before, limit
SELECT t.id, s.id, e.id, p.tenant, p."user", p.agent, p.origin, t.state, '', t.answer,
       t.error, t.started_at, t.finished_at, t.no
FROM turns t JOIN events e ON e.no = t.no JOIN sessions s ON s.no = t.session
     JOIN principals p ON p.no = t.principal
WHERE t.state = 'running' AND t.no > ?1 ORDER BY t.no LIMIT ?2;

-- name: load_steps
SELECT st.id & 1048575, st.kind, st.data, st.integrity, st.readers, st.at
FROM turns t CROSS JOIN steps st
WHERE t.id = ?1 AND st.id BETWEEN t.no << 20 AND t.no << 20 | 1048575 ORDER BY st.id;

-- name: load_effects
SELECT f.key, f.call_id, f.tool, f.effect_class, f.state, f.result, p.tenant, p."user", p.agent,
       p.origin, f.integrity, f.readers
FROM turns t JOIN effects f ON f.turn = t.no JOIN principals p ON p.no = f.principal
WHERE t.id = ?1 ORDER BY f.call_id;

-- The last message tells how many there are and when the session was last used.
-- name: find_session
-- tenant, user, agent, key
SELECT s.id, s.key, s.tenant, s."user", s.agent, s.origin, s.title, s.model, s.settings,
       s.created_at, max(s.updated_at, ifnull(m.created_at, 0)), ifnull(m.id & 16777215, 0)
FROM sessions s LEFT JOIN messages m ON m.id =
     (SELECT max(id) FROM messages WHERE id BETWEEN s.no << 24 AND s.no << 24 | 16777215)
WHERE s.tenant = ?1 AND s."user" = ?2 AND s.agent = ?3 AND s.key = ?4 AND s.key <> '';

-- name: load_session
SELECT s.id, s.key, s.tenant, s."user", s.agent, s.origin, s.title, s.model, s.settings,
       s.created_at, max(s.updated_at, ifnull(m.created_at, 0)), ifnull(m.id & 16777215, 0)
FROM sessions s LEFT JOIN messages m ON m.id =
     (SELECT max(id) FROM messages WHERE id BETWEEN s.no << 24 AND s.no << 24 | 16777215)
WHERE s.id = ?1;

-- The key of a session that nobody gave one is its id.
-- name: list_sessions
-- tenant, user, limit, 1 = only those with a key
SELECT s.id, s.key, s.tenant, s."user", s.agent, s.origin, s.title, s.model, s.settings,
       s.created_at, max(s.updated_at, ifnull(m.created_at, 0)) AS used_at,
       ifnull(m.id & 16777215, 0)
FROM sessions s LEFT JOIN messages m ON m.id =
     (SELECT max(id) FROM messages WHERE id BETWEEN s.no << 24 AND s.no << 24 | 16777215)
WHERE s.tenant = ?1 AND s."user" = ?2 AND (?4 = 0 OR s.key <> s.id)
ORDER BY used_at DESC, s.no DESC LIMIT ?3;

-- name: unnamed_sessions
-- limit
SELECT s.id, max(s.updated_at, ifnull(m.created_at, 0)) AS used_at
FROM sessions s LEFT JOIN messages m ON m.id =
     (SELECT max(id) FROM messages WHERE id BETWEEN s.no << 24 AND s.no << 24 | 16777215)
WHERE s.key = s.id ORDER BY used_at, s.no LIMIT ?1;

-- name: load_messages
-- session, limit
SELECT m.id & 16777215, ifnull(t.id, ''), m.role, m.content, m.integrity, m.readers, p.tenant,
       p."user", p.agent, p.origin, m.created_at
FROM (SELECT * FROM messages
      WHERE id BETWEEN (SELECT no FROM sessions WHERE id = ?1) << 24
                   AND (SELECT no FROM sessions WHERE id = ?1) << 24 | 16777215
      ORDER BY id DESC LIMIT ?2) m
     LEFT JOIN turns t ON t.no = m.turn JOIN principals p ON p.no = m.principal
ORDER BY m.id;

-- name: read_artifact
-- session, id, offset from 0, limit
SELECT length(a.content), substr(a.content, ?3 + 1, ?4)
FROM artifacts a JOIN sessions s ON s.no = a.session WHERE s.id = ?1 AND a.id = ?2;

-- name: load_snapshot
SELECT codec, size, content FROM prompt_snapshots WHERE hash = ?1;

-- Oldest first.
-- name: load_pending_outbox
SELECT o.id, t.id, s.id, o.target, o.dedupe_key, o.payload, o.attempts, p.tenant, p."user", p.agent,
       p.origin, o.integrity, o.readers
FROM outbox o JOIN turns t ON t.no = o.turn JOIN sessions s ON s.no = t.session
     JOIN principals p ON p.no = o.principal
WHERE o.target = ?1 AND o.state = 'pending' ORDER BY o.turn, o.id;
