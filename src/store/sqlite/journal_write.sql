-- What the journal appends and changes. Parameters in order; see migrations/0001 for the packed
-- numbers. An insert that selects its turn or session from its textual id inserts nothing when there
-- is none.

-- name: insert_principal
-- tenant, user, agent, origin. Changes nothing when the number stands for somebody else.
INSERT INTO principals (no, tenant, "user", agent, origin) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (no) DO UPDATE SET origin = origin
WHERE tenant = excluded.tenant AND "user" = excluded."user" AND agent = excluded.agent
  AND origin = excluded.origin;

-- name: insert_session
INSERT INTO sessions (id, key, tenant, "user", agent, origin, title, model, settings, created_at,
                      updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11);

-- name: update_session
-- id, title, model, settings, updated_at
UPDATE sessions SET title = ?2, model = ?3, settings = ?4, updated_at = ?5 WHERE id = ?1;

-- name: insert_event
INSERT INTO events (id, source, dedupe_key, payload_digest, principal, integrity, readers,
                    session_key, priority, payload, received_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (dedupe_key, source, principal) WHERE dedupe_key IS NOT NULL DO NOTHING;

-- name: insert_turn
-- Directly after its insert_event: the turn takes the event's number.
-- id, session, principal, integrity, readers, state, started_at
INSERT INTO turns (no, id, session, principal, integrity, readers, state, started_at)
SELECT last_insert_rowid(), ?1, s.no, ?3, ?4, ?5, ?6, ?7 FROM sessions s WHERE s.id = ?2;

-- name: finish_turn
-- id, state, answer, error, finished_at. A turn ends once.
UPDATE turns SET state = ?2, answer = ?3, error = ?4, finished_at = ?5
WHERE id = ?1 AND state = 'running';

-- name: release_dedupe_key
-- turn. Another event may come under the key of the event that began it.
UPDATE events SET dedupe_key = NULL WHERE no = (SELECT no FROM turns WHERE id = ?1);

-- name: insert_message
-- session, seq, turn or NULL, role, content, principal, integrity, readers, created_at
INSERT INTO messages (id, turn, role, content, principal, integrity, readers, created_at)
SELECT s.no << 24 | ?2, t.no, ?4, ?5, ?6, ?7, ?8, ?9
FROM sessions s LEFT JOIN turns t ON t.id = ?3
WHERE s.id = ?1 AND ?2 BETWEEN 1 AND 16777215 AND (?3 IS NULL OR t.no IS NOT NULL);

-- name: insert_step
-- turn, seq, kind, data, integrity, readers, at
INSERT INTO steps (id, kind, data, principal, integrity, readers, at)
SELECT t.no << 20 | ?2, ?3, ?4, t.principal, ?5, ?6, ?7
FROM turns t WHERE t.id = ?1 AND ?2 BETWEEN 1 AND 1048575;

-- name: upsert_effect
-- turn, key, call_id, tool, effect_class, state, result, principal, integrity, readers
INSERT INTO effects (turn, key, call_id, tool, effect_class, state, result, principal, integrity,
                     readers)
SELECT t.no, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM turns t WHERE t.id = ?1
ON CONFLICT (turn, key) DO UPDATE SET state = excluded.state, result = excluded.result;

-- name: insert_artifact
-- session, id, turn or NULL, media_type, content, principal, integrity, readers
INSERT INTO artifacts (id, session, turn, media_type, content, principal, integrity, readers)
SELECT ?2, s.no, t.no, ?4, ?5, ?6, ?7, ?8
FROM sessions s LEFT JOIN turns t ON t.id = ?3
WHERE s.id = ?1 AND (?3 IS NULL OR t.no IS NOT NULL)
ON CONFLICT (id) DO NOTHING;

-- name: insert_snapshot
-- hash, codec, size, content, turn that sends it or NULL, integrity, readers
INSERT INTO prompt_snapshots (hash, codec, size, content, principal, integrity, readers)
VALUES (?1, ?2, ?3, ?4, (SELECT principal FROM turns WHERE id = ?5), ?6, ?7)
ON CONFLICT (hash) DO NOTHING;

-- name: insert_prompt_use
-- turn, hash
INSERT INTO prompt_uses (turn, prompt)
SELECT t.no, p.no FROM turns t, prompt_snapshots p WHERE t.id = ?1 AND p.hash = ?2
ON CONFLICT (turn, prompt) DO NOTHING;

-- name: insert_outbox
-- turn, target, dedupe_key, id, payload, state, attempts, principal, integrity, readers
INSERT INTO outbox (turn, target, dedupe_key, id, payload, state, attempts, principal, integrity,
                    readers)
SELECT t.no, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM turns t WHERE t.id = ?1;

-- name: mark_delivered
-- turn
UPDATE outbox SET state = 'delivered'
WHERE turn = (SELECT no FROM turns WHERE id = ?1) AND state = 'pending';

-- name: count_delivery
-- turn, most attempts
UPDATE outbox SET attempts = attempts + 1
WHERE turn = (SELECT no FROM turns WHERE id = ?1) AND state = 'pending' AND attempts < ?2;

-- name: bury_delivery
-- turn
UPDATE outbox SET state = 'dead'
WHERE turn = (SELECT no FROM turns WHERE id = ?1) AND state = 'pending';

-- The parts of forgetting a session, in this order. Deleting the events takes their turns, effects,
-- outbox rows and uses of prompts with them; deleting the session takes its artifacts. Once for all
-- that are forgotten together: the prompts.
-- name: delete_session_steps
DELETE FROM steps WHERE id IN (
  SELECT st.id FROM turns t CROSS JOIN steps st
  WHERE t.session = (SELECT no FROM sessions WHERE id = ?1)
    AND st.id BETWEEN t.no << 20 AND t.no << 20 | 1048575);
-- name: delete_session_messages
DELETE FROM messages
WHERE id BETWEEN (SELECT no FROM sessions WHERE id = ?1) << 24
             AND (SELECT no FROM sessions WHERE id = ?1) << 24 | 16777215;
-- name: delete_session_events
DELETE FROM events WHERE no IN (
  SELECT no FROM turns WHERE session = (SELECT no FROM sessions WHERE id = ?1));
-- name: delete_session
DELETE FROM sessions WHERE id = ?1;
-- Prompts that no turn names any more.
-- name: delete_unused_prompts
DELETE FROM prompt_snapshots
WHERE NOT EXISTS (SELECT 1 FROM prompt_uses u WHERE u.prompt = prompt_snapshots.no);
