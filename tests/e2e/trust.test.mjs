// SPDX-License-Identifier: Apache-2.0
// Who gets to know what: the token, the daemon's memory, registered secrets.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { begin, makeHome, mockConfig, run, startDaemon, startMock, tempFolder } from './lib/harness.mjs';

// A program that took the port of a daemon that is no more, and says it is well.
async function startStranger(answer) {
  const seen = [];
  const server = http.createServer((request, response) => {
    seen.push({ url: request.url, headers: request.headers });
    for (const [name, value] of Object.entries(answer)) response.setHeader(name, value);
    response.end('{"status":"ok","version":"0.1.0"}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { seen, port: server.address().port, close: () => server.close() };
}

test('the token is not shown to a stranger who listens on the port', async () => {
  const token = 'a-token-that-nobody-else-may-see-0123456789';
  const mock = await startMock('mode: echo');
  for (const answer of [{}, { 'X-Talon-Proof': '0'.repeat(64) }]) {
    const stranger = await startStranger(answer);
    const home = makeHome(mockConfig(mock));
    fs.writeFileSync(path.join(home, 'token'), `${token}\n`, { mode: 0o600 });
    fs.mkdirSync(path.join(home, 'run'), { mode: 0o700 });
    fs.writeFileSync(path.join(home, 'run', 'daemon.json'), JSON.stringify({ pid: process.pid, bind: '127.0.0.1', port: stranger.port }));
    const done = await run(home, ['ask', 'ping']);
    stranger.close();
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.stdout.trim(), 'ping', 'answered by a daemon of its own');
    assert.ok(stranger.seen.length > 0, 'the stranger was asked');
    for (const request of stranger.seen) {
      assert.equal(request.url, '/health');
      assert.match(request.headers['x-talon-nonce'], /^[0-9a-f]{32,}$/);
      assert.equal(request.headers.authorization, undefined);
    }
    assert.ok(!JSON.stringify(stranger.seen).includes(token));
    const nonces = new Set(stranger.seen.map((request) => request.headers['x-talon-nonce']));
    assert.equal(nonces.size, stranger.seen.length, 'a nonce is used once');
  }
});

// The owner of a process's files in /proc is root when nobody may look into it.
test("other programs of the user cannot look into the daemon's memory and environment", async () => {
  const nobody = 65534;
  const home = makeHome();
  const root = process.getuid() === 0;
  if (root) for (const file of [home, path.join(home, 'talon.yaml')]) fs.chownSync(file, nobody, nobody);
  const identity = root ? { uid: nobody, gid: nobody } : {};
  const daemon = await startDaemon(home, { HIDDEN: 'in the environment' }, '', identity);
  assert.equal(fs.statSync(`/proc/${daemon.program.pid}/environ`).uid, 0);
  for (const file of ['environ', 'mem', 'maps']) {
    const look = begin(home, [`/proc/${daemon.program.pid}/${file}`], {}, { command: 'cat', ...identity });
    assert.notEqual((await look.exit).code, 0, file);
    assert.match(look.stderr, /Permission denied/, file);
    assert.equal(look.stdout, '');
  }
});

test('a registered secret is neither shown to the model nor told nor recorded', async () => {
  const secret = 'sk-the-providers-key-0123456789abcdef';
  const mock = await startMock(`
rules:
  - match: {user: read, after_tool: false}
    answer: {calls: [{tool: files__read, args: {path: "leak.txt"}}]}
  - match: {after_tool: true}
    answer: "I read: {{tool_result}}"
`);
  const home = makeHome(mockConfig(mock, 'log: {level: debug}\n').replace('mock-key', secret));
  const workspace = path.join(home, 'workspace', 'main');
  fs.mkdirSync(workspace, { recursive: true });
  fs.writeFileSync(path.join(workspace, 'leak.txt'), `before ${secret} after\n`);
  const daemon = await startDaemon(home);
  const answer = await (await daemon.post('/v1/turns', { message: 'read it', session: 'leak', stream: true })).text();
  assert.match(answer, /before \[redacted\] after/);
  assert.ok(!answer.includes(secret), answer);
  const asked = await mock.requests();
  assert.equal(asked.length, 2);
  for (const request of asked) assert.ok(!JSON.stringify(request.body).includes(secret));
  assert.equal(asked[0].key, secret, 'and yet it is used');
  const { body } = await daemon.get('/v1/sessions/leak/messages');
  assert.ok(!JSON.stringify(body).includes(secret));
  assert.equal((await daemon.stop()).code, 0);
  for (const file of fs.readdirSync(home).filter((name) => name.startsWith('talon.db'))) {
    assert.ok(!fs.readFileSync(path.join(home, file)).includes(secret), file);
  }
  assert.ok(!daemon.program.stderr.includes(secret), 'nor logged');
});
