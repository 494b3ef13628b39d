// SPDX-License-Identifier: Apache-2.0
// The gateway as plain curl sees it: admission, malformed requests, raw streams.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { before, test } from 'node:test';
import { curl, startBoth, tempFolder } from './lib/harness.mjs';

const SCRIPT = `
mode: echo
rules:
  - match: {user: "stream me"}
    answer: "alpha beta gamma delta"
`;

let mock, talon, auth, folder;
before(async () => {
  ({ mock, talon } = await startBoth(SCRIPT, '  allowed_hosts: [talon.example]\n  allowed_origins: ["https://ui.example"]\n'));
  auth = ['-H', `Authorization: Bearer ${talon.token}`];
  folder = tempFolder();
});

const url = (where) => talon.base + where;
const completion = (message, more = {}) =>
  JSON.stringify({ model: 'talon', messages: [{ role: 'user', content: message }], ...more });
const tool = (name) => ({ type: 'function', function: { name } });
const errorOf = (answer) => JSON.parse(answer.body).error;

test('health needs no token and tells nothing secret', async () => {
  const answer = await curl([url('/health')]);
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).status, 'ok');
  assert.ok(!answer.body.includes(talon.token));
});

test('everything else does, and only as a header', async () => {
  for (const where of ['/v1/models', '/v1/sessions', '/v1/tools', '/v1/status', '/nowhere']) {
    const answer = await curl([url(where)]);
    assert.equal(answer.status, 401, where);
    assert.match(answer.headers, /www-authenticate: bearer/i);
    assert.equal(errorOf(answer).type, 'authentication_error');
  }
  assert.equal((await curl([url(`/v1/models?token=${talon.token}`)])).status, 401);
  assert.equal((await curl(['-H', 'Authorization: Bearer ', url('/v1/models')])).status, 401);
  assert.equal((await curl([...auth, url('/v1/models')])).status, 200);
});

test('the token file is for its owner alone', () => {
  assert.equal(fs.statSync(path.join(talon.home, 'token')).mode & 0o777, 0o600);
});

test('an answer and unknown endpoints', async () => {
  const answer = await curl([...auth, '-d', completion('ping'), url('/v1/chat/completions')]);
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).choices[0].message.content, 'ping');
  assert.match(answer.headers, /x-talon-turn: /i);
  assert.equal((await curl([...auth, url('/v1/nothing')])).status, 404);
  assert.equal((await curl([...auth, url('/v1/chat/completions')])).status, 405);
});

test('a body above the limit is 413, also when its length is not told', async () => {
  const file = path.join(folder, 'large.json');
  fs.writeFileSync(file, completion('x'.repeat(9 << 20)));
  const answer = await curl([...auth, '-H', 'Expect:', '--data-binary', `@${file}`, url('/v1/chat/completions')]);
  assert.equal(answer.status, 413);
  assert.match(answer.body, /"error"/);
  const chunked = await curl([...auth, '-H', 'Expect:', '-H', 'Transfer-Encoding: chunked', '--data-binary', `@${file}`, url('/v1/chat/completions')]);
  assert.equal(chunked.status, 413);
});

test('invalid UTF-8 is 400 and says where', async () => {
  const file = path.join(folder, 'latin1.json');
  fs.writeFileSync(file, Buffer.from(completion('caf\xe9'), 'latin1'));
  const answer = await curl([...auth, '--data-binary', `@${file}`, url('/v1/chat/completions')]);
  assert.equal(answer.status, 400);
  assert.match(errorOf(answer).message, /invalid UTF-8 at byte \d+/);
});

test('wrong JSON and wrong members are 400 and named', async () => {
  const cases = [
    ['{"model":', /not valid JSON/],
    ['[]', /must be a JSON object/],
    ['{"messages":[{"role":"user","content":"x"}]}', /model: missing/],
    ['{"model":"talon"}', /messages: must be/],
    ['{"model":"talon","messages":[]}', /messages: must be/],
    ['{"model":"talon","messages":[{"role":"bard","content":"x"}]}', /messages\[0\]\.role/],
    ['{"model":"talon","messages":[{"role":"user","content":[{"type":"video"}]}]}', /type: 'video'/],
    ['{"model":"talon","n":3,"messages":[{"role":"user","content":"x"}]}', /^n: /],
    ['{"model":["talon"],"messages":[{"role":"user","content":"x"}]}', /^model: must be a string/],
    [completion('x', { stream: 'yes' }), /^stream: must be true or false/],
    [completion('x', { user: 7 }), /^user: must be a string/],
    [completion('x', { temperature: 'hot' }), /^temperature: must be a number/],
    [completion('x', { max_tokens: -5 }), /^max_tokens: must be a whole number/],
    [completion('x', { stop: [1] }), /^stop: must be/],
    [completion('x', { tools: {} }), /^tools: must be an array/],
    [completion('x', { tools: [tool('a b!')] }), /^tools\[0\]\.function\.name: must be/],
    [completion('x', { tools: [tool('a'), tool('a')] }), /^tools\[1\]\.function\.name: 'a' is there twice/],
    [completion('x', { tools: [{ type: 'function', function: { name: 'a', parameters: 'x' } }] }), /^tools\[0\]\.function\.parameters: must be an object/],
    [completion('x', { tools: [tool('files__list')] }), /^tools: 'files__list' is a tool of the agent's own/],
    [completion('x', { tools: [tool('a')], tool_choice: 'always' }), /^tool_choice: must be/],
    [completion('x', { tools: [tool('a')], tool_choice: { type: 'function', function: { name: 'b' } } }), /^tool_choice: no function 'b'/],
    ['{"model":"talon","messages":' + '['.repeat(5000) + ']'.repeat(5000) + '}', /nested deeper/],
  ];
  for (const [body, pattern] of cases) {
    const answer = await curl([...auth, '-d', body, url('/v1/chat/completions')]);
    assert.equal(answer.status, 400, body.slice(0, 80));
    assert.match(errorOf(answer).message, pattern);
    assert.equal(errorOf(answer).type, 'invalid_request_error');
  }
});

test('a raw stream is server-sent events that end in [DONE]', async () => {
  const answer = await curl([...auth, '-N', '-d', completion('stream me', { stream: true }), url('/v1/chat/completions')]);
  assert.equal(answer.status, 200);
  assert.match(answer.headers, /content-type: text\/event-stream/i);
  const events = answer.body.split('\n\n').filter((event) => event.startsWith('data: ')).map((event) => event.slice(6));
  assert.equal(events.at(-1), '[DONE]');
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event));
  assert.ok(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && chunk.id === chunks[0].id));
  assert.equal(chunks[0].choices[0].delta.role, 'assistant');
  assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join(''), 'alpha beta gamma delta');
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

test('a foreign Host is 403, a listed one is served', async () => {
  assert.equal((await curl([...auth, '-H', 'Host: evil.example', url('/v1/models')])).status, 403);
  assert.equal((await curl(['-H', 'Host: evil.example', url('/health')])).status, 403);
  for (const host of ['127.0.0.1.evil.example', '127.evil.example:80', 'localhost.evil.example', '[::1].evil.example']) {
    assert.equal((await curl([...auth, '-H', `Host: ${host}`, url('/v1/models')])).status, 403, host);
  }
  assert.equal((await curl([...auth, '-H', 'Host: [::1]:8420', url('/v1/models')])).status, 200);
  assert.equal((await curl([...auth, '-H', 'Host: 127.1.2.3', url('/v1/models')])).status, 200);
  assert.equal((await curl([...auth, '-H', 'Host: localhost:1', url('/v1/models')])).status, 200);
  assert.equal((await curl([...auth, '-H', 'Host: talon.example', url('/v1/models')])).status, 200);
});

test('a browser page of another origin is 403, a listed one is served', async () => {
  for (const origin of ['https://evil.example', 'null', 'http://localhost:3000']) {
    const answer = await curl([...auth, '-H', `Origin: ${origin}`, '-d', completion('x'), url('/v1/chat/completions')]);
    assert.equal(answer.status, 403, origin);
  }
  assert.equal((await curl([...auth, '-H', 'Origin: https://ui.example', url('/v1/models')])).status, 200);
});

test('a chosen function is the only one offered', async () => {
  await mock.forget();
  const body = completion('x', { model: 'mock/m1', tools: [tool('a'), tool('b')], tool_choice: { type: 'function', function: { name: 'b' } } });
  assert.equal((await curl([...auth, '-d', body, url('/v1/chat/completions')])).status, 200);
  const [request] = await mock.requests();
  assert.deepEqual(request.tools, ['b']);
  assert.equal(request.body.tool_choice, 'required');
});

test('wrong members of a native turn are 400', async () => {
  for (const [body, pattern] of [['[1]', /message: missing/], ['{"message":7}', /message: must be a string/], ['{"message":"x","session":5}', /session: must be/]]) {
    const answer = await curl([...auth, '-d', body, url('/v1/turns')]);
    assert.equal(answer.status, 400, body);
    assert.match(errorOf(answer).message, pattern);
  }
});

test('a native turn streams its events', async () => {
  const answer = await curl([...auth, '-N', '-d', '{"message":"ping","session":"native"}', url('/v1/turns')]);
  const events = answer.body.trim().split('\n\n').map((event) => event.match(/^event: (.*)$/m)[1]);
  assert.equal(events[0], 'turn_start');
  assert.equal(events.at(-1), 'done');
  assert.ok(events.includes('text_delta'));
});

// What nc -N does: the request, then the end of what is sent, then the answer.
test('a client that ends its side gets its answer', async () => {
  const body = completion('half-closed');
  const socket = net.connect({ port: talon.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(`POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${talon.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  let answer = '';
  for await (const piece of socket.setEncoding('utf8')) answer += piece;
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /"content":"half-closed"/);
});

test('the daemon answers on after all of that', async () => {
  const answer = await curl([...auth, '-d', completion('still there?'), url('/v1/chat/completions')]);
  assert.equal(JSON.parse(answer.body).choices[0].message.content, 'still there?');
});
