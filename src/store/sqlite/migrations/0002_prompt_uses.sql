-- Which turns were sent which prompt, so that a prompt goes with the last turn that used it.

CREATE TABLE prompt_uses (
  turn    INTEGER NOT NULL REFERENCES turns (no) ON DELETE CASCADE,
  prompt  INTEGER NOT NULL REFERENCES prompt_snapshots (no),
  PRIMARY KEY (turn, prompt)
) STRICT, WITHOUT ROWID;
CREATE INDEX prompt_uses_by_prompt ON prompt_uses (prompt);

INSERT OR IGNORE INTO prompt_uses (turn, prompt)
SELECT st.id >> 20, p.no
FROM steps st JOIN prompt_snapshots p
  ON p.hash = CASE WHEN json_valid(st.data) THEN json_extract(st.data, '$.prompt') END
WHERE st.kind = 'model_started';
