-- Approvals and grants.

-- name: insert_approval
-- turn, id, call_id, tool, arguments, digest, judgement, reason, factor, code_hash, state, created_at,
-- expires_at, principal, integrity, readers
INSERT INTO approvals (turn, id, call_id, tool, arguments, digest, judgement, reason, factor, code_hash,
                       tries, state, answered_by, created_at, expires_at, answered_at, principal,
                       integrity, readers)
SELECT t.no, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, '', ?12, ?13, 0, ?14, ?15, ?16
FROM turns t WHERE t.id = ?1;

-- An approval is answered once; that stays open which got a wrong code, one more.
-- name: answer_approval
-- id, state, tries, answered_by, answered_at
UPDATE approvals SET state = ?2, tries = ?3, answered_by = ?4, answered_at = ?5
WHERE id = ?1 AND state = 'open' AND tries = ?3 - (?2 = 'open');

-- name: load_approval
SELECT a.id, t.id, s.id, a.call_id, a.tool, a.arguments, a.digest, a.judgement, a.reason, a.factor,
       a.code_hash, a.tries, a.state, a.answered_by, a.created_at, a.expires_at, a.answered_at,
       p.tenant, p."user", p.agent, p.origin, a.integrity, a.readers
FROM approvals a JOIN turns t ON t.no = a.turn JOIN sessions s ON s.no = t.session
     JOIN principals p ON p.no = a.principal
WHERE a.id = ?1;

-- name: load_turn_approvals
SELECT a.id, t.id, s.id, a.call_id, a.tool, a.arguments, a.digest, a.judgement, a.reason, a.factor,
       a.code_hash, a.tries, a.state, a.answered_by, a.created_at, a.expires_at, a.answered_at,
       p.tenant, p."user", p.agent, p.origin, a.integrity, a.readers
FROM turns t JOIN approvals a ON a.turn = t.no JOIN sessions s ON s.no = t.session
     JOIN principals p ON p.no = a.principal
WHERE t.id = ?1 ORDER BY a.created_at, a.id;

-- Newest first. An empty tenant is every tenant's and user's.
-- name: list_approvals
-- tenant, user, whether only open ones, limit
SELECT a.id, t.id, s.id, a.call_id, a.tool, a.arguments, a.digest, a.judgement, a.reason, a.factor,
       a.code_hash, a.tries, a.state, a.answered_by, a.created_at, a.expires_at, a.answered_at,
       p.tenant, p."user", p.agent, p.origin, a.integrity, a.readers
FROM approvals a JOIN turns t ON t.no = a.turn JOIN sessions s ON s.no = t.session
     JOIN principals p ON p.no = a.principal
WHERE (?1 = '' OR (p.tenant = ?1 AND p."user" = ?2)) AND (NOT ?3 OR a.state = 'open')
ORDER BY a.created_at DESC, a.id DESC LIMIT ?4;

-- name: insert_grant
INSERT INTO grants (id, tenant, "user", agent, tool, arguments, expires_at, created_at, created_by)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);

-- name: delete_grant
DELETE FROM grants WHERE id = ?1;

-- name: list_grants
SELECT id, tenant, "user", agent, tool, arguments, expires_at, created_at, created_by
FROM grants ORDER BY created_at, id;
