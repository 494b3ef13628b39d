# SPDX-License-Identifier: Apache-2.0
"""What must hold once a killed turn has its answer."""

import sqlite3

ROLES = ["user", "assistant", "tool", "assistant"]


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def check(case):
    expect(len(set(case.answers)) == 1, f"answers differ: {case.answers}")
    check_messages(case.messages, case.answers[0])
    check_effect(case)
    check_database(case.home / "talon.db")
    case.last_count = int((case.home / "count").read_text())


def check_messages(messages, answer):
    expect([m["seq"] for m in messages] == list(range(1, len(messages) + 1)),
           f"gaps in {[m['seq'] for m in messages]}")
    expect([m["role"] for m in messages] == ROLES, f"roles {[m['role'] for m in messages]}")
    parts = [part for message in messages for part in message["content"]["parts"]]
    called = [part["id"] for part in parts if part["type"] == "tool_call"]
    answered = [part["call_id"] for part in parts if part["type"] == "tool_result"]
    expect(called == answered and len(called) == 1, f"calls {called}, results {answered}")
    texts = [part["text"] for part in messages[-1]["content"]["parts"] if part["type"] == "text"]
    expect(texts == [answer], f"told {answer!r}, recorded {texts}")


def check_effect(case):
    lines = case.ledger.read_text().splitlines() if case.ledger.exists() else []
    told = [request["tool_result"] for request in case.requests if request["tool_result"]]
    expect(told and len(set(told)) == 1, f"the model was told different things: {told}")
    unknown = case.unknown = "outcome unknown" in told[0]
    if case.variant == "idempotent":
        expect(not unknown and lines == ["one"], f"ledger {lines}, told {told[0]!r}")
    else:
        expect(lines == ["one"] or (unknown and not lines), f"ledger {lines}, told {told[0]!r}")


def check_database(path):
    expect(path.exists(), f"{path} is missing")
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        found = database.execute("PRAGMA integrity_check").fetchall()
        expect(found == [("ok",)], f"integrity_check: {found}")
        found = database.execute("PRAGMA foreign_key_check").fetchall()
        expect(not found, f"foreign_key_check: {found}")
        if database.execute("SELECT count(*) FROM turns").fetchone()[0]:
            states = database.execute("SELECT state FROM turns").fetchall()
            expect(all(state == ("completed",) for state in states), f"turns {states}")
    finally:
        database.close()
