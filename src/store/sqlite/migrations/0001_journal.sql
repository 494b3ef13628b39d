-- The journal and what stands beside it.
--
-- Most tables count their rows by a small integer, so that an append goes to the end of one tree and
-- a group of turns shares pages; the textual ids stand only where something is looked up by them.
-- Two numbers are packed:
--   steps.id    = turn number    << 20 | seq of the step in its turn
--   messages.id = session number << 24 | seq of the message in its session
-- A turn has the number of the event that began it. Times are microseconds since 1970, UTC.
-- `integrity` and `readers` are the label of a row's data, `principal` is who acted.

CREATE TABLE principals (
  no      INTEGER PRIMARY KEY,  -- the first 63 bits of a digest of the other columns
  tenant  TEXT NOT NULL,
  "user"  TEXT NOT NULL,
  agent   TEXT NOT NULL,
  origin  TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
  no          INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  key         TEXT NOT NULL,
  tenant      TEXT NOT NULL,
  "user"      TEXT NOT NULL,
  agent       TEXT NOT NULL,
  origin      TEXT NOT NULL,
  integrity   INTEGER NOT NULL DEFAULT 1,
  readers     TEXT NOT NULL DEFAULT '',
  title       TEXT NOT NULL,
  model       TEXT NOT NULL,
  settings    TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sessions_by_key ON sessions (tenant, "user", agent, key) WHERE key <> '';
CREATE INDEX sessions_by_user ON sessions (tenant, "user");

CREATE TABLE events (
  no              INTEGER PRIMARY KEY,
  id              TEXT NOT NULL,
  source          TEXT NOT NULL,
  dedupe_key      TEXT,  -- NULL: never a duplicate
  payload_digest  TEXT NOT NULL,
  principal       INTEGER NOT NULL REFERENCES principals (no),
  integrity       INTEGER NOT NULL,
  readers         TEXT NOT NULL,
  session_key     TEXT NOT NULL,
  priority        TEXT NOT NULL,
  payload         TEXT NOT NULL,
  received_at     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_dedupe_key ON events (dedupe_key, source, principal)
  WHERE dedupe_key IS NOT NULL;

CREATE TABLE turns (
  no           INTEGER PRIMARY KEY REFERENCES events (no) ON DELETE CASCADE,
  id           TEXT NOT NULL UNIQUE,
  session      INTEGER NOT NULL REFERENCES sessions (no),
  principal    INTEGER NOT NULL REFERENCES principals (no),
  integrity    INTEGER NOT NULL,
  readers      TEXT NOT NULL,
  state        TEXT NOT NULL,
  answer       TEXT NOT NULL DEFAULT '',
  error        TEXT NOT NULL DEFAULT '',
  started_at   INTEGER NOT NULL,
  finished_at  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX turns_by_session ON turns (session);
CREATE INDEX turns_running ON turns (no) WHERE state = 'running';

CREATE TABLE messages (
  id          INTEGER PRIMARY KEY,
  turn        INTEGER,  -- NULL: written outside a turn
  role        TEXT NOT NULL,
  content     TEXT NOT NULL,
  principal   INTEGER NOT NULL REFERENCES principals (no),
  integrity   INTEGER NOT NULL,
  readers     TEXT NOT NULL,
  created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE steps (
  id         INTEGER PRIMARY KEY,
  kind       TEXT NOT NULL,
  data       TEXT NOT NULL,
  principal  INTEGER NOT NULL REFERENCES principals (no),
  integrity  INTEGER NOT NULL,
  readers    TEXT NOT NULL,
  at         INTEGER NOT NULL
) STRICT;

CREATE TABLE effects (
  turn          INTEGER NOT NULL REFERENCES turns (no) ON DELETE CASCADE,
  key           TEXT NOT NULL,
  call_id       TEXT NOT NULL,
  tool          TEXT NOT NULL,
  effect_class  TEXT NOT NULL,
  state         TEXT NOT NULL,
  result        TEXT NOT NULL,
  principal     INTEGER NOT NULL REFERENCES principals (no),
  integrity     INTEGER NOT NULL,
  readers       TEXT NOT NULL,
  PRIMARY KEY (turn, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
  no          INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  session     INTEGER NOT NULL REFERENCES sessions (no) ON DELETE CASCADE,
  turn        INTEGER REFERENCES turns (no) ON DELETE CASCADE,
  media_type  TEXT NOT NULL,
  principal   INTEGER NOT NULL REFERENCES principals (no),
  integrity   INTEGER NOT NULL,
  readers     TEXT NOT NULL,
  content     BLOB NOT NULL
) STRICT;
CREATE INDEX artifacts_by_session ON artifacts (session);
CREATE INDEX artifacts_by_turn ON artifacts (turn);

CREATE TABLE prompt_snapshots (
  no         INTEGER PRIMARY KEY,
  hash       TEXT NOT NULL UNIQUE,
  codec      TEXT NOT NULL,     -- 'plain' or 'zstd'
  size       INTEGER NOT NULL,  -- of the content, in bytes
  principal  INTEGER REFERENCES principals (no),  -- whose turn sent it first, where a turn did
  integrity  INTEGER NOT NULL,
  readers    TEXT NOT NULL,
  content    BLOB NOT NULL
) STRICT;

CREATE TABLE outbox (
  turn        INTEGER NOT NULL REFERENCES turns (no) ON DELETE CASCADE,
  target      TEXT NOT NULL,
  dedupe_key  TEXT NOT NULL,
  id          TEXT NOT NULL,
  payload     TEXT NOT NULL,
  state       TEXT NOT NULL,
  attempts    INTEGER NOT NULL,
  principal   INTEGER NOT NULL REFERENCES principals (no),
  integrity   INTEGER NOT NULL,
  readers     TEXT NOT NULL,
  PRIMARY KEY (turn, target, dedupe_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_pending ON outbox (target) WHERE state = 'pending';

CREATE TABLE timers (
  id         TEXT PRIMARY KEY,
  wake_at    INTEGER NOT NULL,
  kind       TEXT NOT NULL,
  key        TEXT NOT NULL,
  condition  TEXT NOT NULL,
  payload    TEXT NOT NULL,
  rearm      TEXT NOT NULL,
  principal  INTEGER NOT NULL REFERENCES principals (no),
  integrity  INTEGER NOT NULL,
  readers    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_by_wake_at ON timers (wake_at);
