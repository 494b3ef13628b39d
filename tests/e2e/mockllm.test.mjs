// SPDX-License-Identifier: Apache-2.0
// The mock provider itself, where the other tests do not show it: replay, credentials, broken
// streams as bytes, the load generator against it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { before, test } from 'node:test';
import { curl, startMock } from './lib/harness.mjs';

let mock;
before(async () => { mock = await startMock('mode: echo'); });

const ask = (content, more = {}) => fetch(`${mock.base}/v1/chat/completions`, {
  method: 'POST', body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content }], ...more }) });
const textOf = async (answer) => (await answer.json()).choices[0].message.content;

test('recorded exchanges are replayed in order and only where they fit', async () => {
  await mock.play(`
mode: replay
exchanges:
  - request: {path: /chat/completions, body: {model: m, messages: [{content: hi}]}}
    response: {status: 200, headers: {X-Recorded: "1"}, body: {choices: [{message: {content: first}}]}}
  - request: {contains: ['"hi"']}
    response: {events: [{choices: [{delta: {content: second}}]}, {event: e, data: "[DONE]"}]}
`);
  assert.equal((await ask('other')).status, 400);
  const first = await ask('hi');
  assert.equal(first.headers.get('x-recorded'), '1');
  assert.equal(await textOf(first), 'first');
  const second = await ask('hi');
  assert.equal(second.headers.get('content-type'), 'text/event-stream');
  assert.equal(await second.text(), 'data: {"choices":[{"delta":{"content":"second"}}]}\n\nevent: e\ndata: [DONE]\n\n');
  assert.equal((await ask('hi')).status, 400, 'each once');
  assert.deepEqual((await mock.requests()).map((one) => one.source), ['nothing', 'exchange 1', 'exchange 2', 'nothing']);
});

test('faults by count, and credentials', async () => {
  await mock.play('keys: [k]\nmode: echo\nrules:\n  - match: {request: 2-3}\n    fault: {status: 529}\n');
  assert.equal((await ask('x')).status, 401);
  const statuses = [];
  for (let i = 0; i < 3; ++i) {
    const answer = await curl(['-H', 'x-api-key: k', '-d', '{"model":"m","messages":[{"role":"user","content":"x"}]}', `${mock.base}/v1/messages`]);
    statuses.push(answer.status);
  }
  assert.deepEqual(statuses, [529, 529, 200]);
});

test('a cut stream breaks the connection', async () => {
  await mock.play('rules:\n  - answer: one two three four five\n    delivery: {cut_after: 2, text_bytes: 4}\n');
  const body = '{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}';
  const answer = await curl(['-N', '-d', body, `${mock.base}/v1/chat/completions`]);
  assert.equal(answer.code, 18, 'curl: transfer closed with data remaining');
  assert.equal(answer.body.split('\n\n').filter((event) => event.startsWith('data: ')).length, 2);
});

test('a script with an unknown key is refused and leaves the old one', async () => {
  await mock.play('mode: echo');
  await assert.rejects(mock.play('mode: echo\nrulez: []'), /script:2: unknown key 'rulez'/);
  assert.equal(await textOf(await ask('still echo')), 'still echo');
});

const TURNS = process.env.BENCH_TURNS_BIN;
test('the load generator counts turns and errors', { skip: !TURNS || !fs.existsSync(TURNS) }, async () => {
  await mock.play('rules:\n  - match: {request: 1-5}\n    fault: {status: 500}\n  - answer: fine\n');
  for (const [more, code] of [[[], 1], [['--stream'], 0]]) {
    const done = spawnSync(TURNS, ['--url', mock.base, '--sessions', '4', '--turns', '5', '--warmup', '1', '--json', ...more], { encoding: 'utf8', timeout: 60_000 });
    assert.equal(done.status, code, done.stderr);
    const figures = JSON.parse(done.stdout);
    assert.equal(figures.errors, code === 1 ? 5 : 0);
    assert.ok(figures.turns <= 20 && figures.turns >= 15, done.stdout);
    assert.ok(figures.p50_ms > 0 && figures.p99_ms >= figures.p50_ms);
  }
});
