// SPDX-License-Identifier: Apache-2.0
// The same turns over each provider wire: an answer, tools, reasoning, faults and how they end.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startBoth } from './lib/harness.mjs';

const SCRIPT = `
rules:
  - match: {user: "list files", after_tool: false, tool: files__list}
    answer:
      text: "Let me look."
      calls: [{tool: files__list, args: {path: "."}}, {tool: files__read, args: {path: notes.txt}}]
      usage: {input: 100, output: 20, cached: 40}
    delivery: {argument_bytes: 2}
  - match: {user: "list files", tool_result: "buy milk"}
    answer: {text: "Milk. 🥛", reasoning: "they want milk", usage: {input: 150, output: 10, cached: 100}}
  - match: {user: characters}
    answer: "ägypten – 日本 – 👩‍👩‍👧"
    delivery: {split_utf8: true, text_bytes: 3}
  - match: {user: bytewise}
    answer: "one byte at a time: é"
    delivery: {chunk_bytes: 1}
  - match: {user: "limit once"}
    times: 1
    fault: {status: 429, retry_after: 0}
  - match: {user: "overloaded once"}
    times: 1
    fault: {status: 529}
  - match: {user: once}
    answer: "second try"
  - match: {user: "wrong key"}
    fault: {status: 401}
  - match: {user: "no money"}
    fault: {status: 402}
  - match: {user: "too long"}
    fault: {status: 400, message: "prompt is too long: the context length is exceeded"}
  - match: {user: "cut before text", round: 0, request: 1}
    answer: {text: "never seen", reasoning: "nor this"}
    delivery: {cut_after: 0}
  - match: {user: "cut before text"}
    answer: "whole"
  - match: {user: "cut in the text"}
    answer: "one two three four five six seven eight"
    delivery: {cut_after: 5, text_bytes: 4}
  - match: {user: malformed}
    answer: "one two three four five six seven eight"
    delivery: {malformed_after: 5, text_bytes: 4}
`;
const WIRES = { 'mock/m1': ['openai', 'mock-key'], 'claude/c1': ['anthropic', 'claude-key'], 'gemini/g1': ['google', 'gemini-key'] };

let mock, talon;
before(async () => { ({ mock, talon } = await startBoth(SCRIPT)); });

// The native API's outcome; streaming lets the daemon stream from the provider as well.
async function turn(message, model, stream = true) {
  const answer = await talon.post('/v1/turns', { message, model, stream });
  const text = await answer.text();
  if (!stream) return JSON.parse(text);
  const events = text.trim().split('\n\n').map((event) => ({
    event: event.match(/^event: (.*)$/m)[1], data: JSON.parse(event.match(/^data: (.*)$/m)[1]) }));
  const deltas = events.filter((one) => one.event === 'text_delta').map((one) => one.data.text).join('');
  return { ...events.at(-1).data, deltas, events };
}

for (const [model, [wire, key]] of Object.entries(WIRES)) {
  for (const stream of [true, false]) {
    test(`${wire}: a turn with two calls (stream: ${stream})`, async () => {
      await mock.forget();
      const outcome = await turn('list files', model, stream);
      assert.equal(outcome.state, 'completed', JSON.stringify(outcome));
      assert.equal(outcome.text, 'Let me look.\n\nMilk. 🥛');
      assert.equal(outcome.model, model);
      assert.equal(outcome.rounds, 2);
      assert.deepEqual(
        [outcome.usage.input_tokens, outcome.usage.output_tokens, outcome.usage.cached_input_tokens], [250, 30, 140]);
      const requests = await mock.requests();
      assert.deepEqual(requests.map((one) => one.wire), [wire, wire]);
      assert.deepEqual(requests.map((one) => one.key), [key, key]);
      assert.match(requests[1].tool_result, /notes\.txt/);
      assert.match(requests[1].tool_result, /buy milk/);
      if (stream) {
        assert.equal(outcome.deltas, outcome.text);
        const tools = outcome.events.filter((one) => one.event === 'tool_result').map((one) => one.data.tool);
        assert.deepEqual(tools.sort(), ['files__list', 'files__read']);
      }
    });
  }

  test(`${wire}: characters survive any cut`, async () => {
    const outcome = await turn('characters', model);
    assert.equal(outcome.text, 'ägypten – 日本 – 👩‍👩‍👧');
    assert.equal(outcome.deltas, outcome.text);
    assert.equal((await turn('bytewise', model)).text, 'one byte at a time: é');
  });

  test(`${wire}: a rate limit and an overload are tried again`, async () => {
    await mock.play(SCRIPT);
    assert.equal((await turn('limit once', model)).text, 'second try');
    assert.equal((await turn('overloaded once', model)).text, 'second try');
    assert.equal((await mock.requests()).length, 4);
  });

  test(`${wire}: a stream that breaks before its text is tried again`, async () => {
    await mock.play(SCRIPT);
    assert.equal((await turn('cut before text', model)).text, 'whole');
  });

  test(`${wire}: a stream that breaks in its text is an error, not a short answer`, async () => {
    for (const message of ['cut in the text', 'malformed']) {
      for (const stream of [true, false]) {
        const outcome = await turn(message, model, stream);
        assert.equal(outcome.state, 'failed', `${message}: ${JSON.stringify(outcome.error)}`);
        assert.equal(outcome.error.type, 'upstream_error');
        assert.equal(outcome.text, undefined);
      }
    }
  });

  test(`${wire}: refusals keep their meaning`, async () => {
    const types = {};
    for (const message of ['wrong key', 'no money', 'too long']) {
      const outcome = await turn(message, model, false);
      assert.equal(outcome.state, 'failed');
      assert.match(outcome.error.message, new RegExp(model));
      assert.ok(!JSON.stringify(outcome).includes(key), 'no credential in an error');
      types[message] = outcome.error.type;
    }
    assert.deepEqual(types, { 'wrong key': 'upstream_authentication_error', 'no money': 'insufficient_quota', 'too long': 'context_length_exceeded' });
  });
}
