-- Calls that wait for the person's approval, and what they said. A row is the request as it was shown:
-- its digest stands for the exact call.

CREATE TABLE approvals (
  id           TEXT PRIMARY KEY,
  turn         INTEGER NOT NULL REFERENCES turns (no) ON DELETE CASCADE,
  call_id      TEXT NOT NULL,
  tool         TEXT NOT NULL,
  arguments    TEXT NOT NULL,
  digest       TEXT NOT NULL,  -- sha256 of tool and canonical arguments
  judgement    TEXT NOT NULL,  -- JSON: each value and where it came from
  reason       TEXT NOT NULL,
  factor       TEXT NOT NULL,
  code_hash    TEXT NOT NULL,  -- '' unless the factor is a code
  tries        INTEGER NOT NULL,  -- wrong codes
  state        TEXT NOT NULL,
  answered_by  TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  answered_at  INTEGER NOT NULL,
  principal    INTEGER NOT NULL REFERENCES principals (no),
  integrity    INTEGER NOT NULL,
  readers      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX approvals_by_turn ON approvals (turn);
CREATE INDEX approvals_open ON approvals (created_at) WHERE state = 'open';

-- Calls that need no approval until a time: the person's standing word for unattended work.
CREATE TABLE grants (
  id          TEXT PRIMARY KEY,
  tenant      TEXT NOT NULL,
  "user"      TEXT NOT NULL,
  agent       TEXT NOT NULL,
  tool        TEXT NOT NULL,       -- a glob
  arguments   TEXT NOT NULL,       -- JSON: a glob an argument; an argument without one may not be there
  expires_at  INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  created_by  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
