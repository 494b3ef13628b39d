// SPDX-License-Identifier: Apache-2.0
// The command line and the daemon it talks to: through no proxy, told plainly why not, and found
// again when the daemon goes away.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { begin, makeHome, mockConfig, run, startDaemon, startMock } from './lib/harness.mjs';

const HANGS = `
rules:
  - match: {user: "/./"}
    answer: "one two three four"
    delivery: {hang_after: 2, text_bytes: 4}
`;
const ANSWERS = `
rules:
  - match: {user: "/./"}
    answer: "one two three four, you said {{user}}"
`;

let mock;
before(async () => { mock = await startMock(ANSWERS); });
const announcement = (home) => path.join(home, 'run', 'daemon.json');

// A server of the test's own that lives as long as the file.
async function listen(server) {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  after(() => server.close());
  return server.address().port;
}

test('no request of the command line goes through a proxy', async () => {
  const seen = [];
  const port = await listen(net.createServer((socket) => {
    socket.on('data', (data) => seen.push(String(data))).on('error', () => {});
    socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
  }));
  const proxy = `http://127.0.0.1:${port}`;
  const env = { http_proxy: proxy, HTTP_PROXY: proxy, https_proxy: proxy, all_proxy: proxy, ALL_PROXY: proxy };
  const home = makeHome();
  const alone = await run(home, ['ask', 'what is 6 * 7?'], { env });
  assert.equal(alone.code, 0, alone.stderr);
  // An address that no list of exceptions has, as a daemon that listens for others announces.
  await startDaemon(home, { TALON_GATEWAY_BIND: '0.0.0.0' });
  const told = JSON.parse(fs.readFileSync(announcement(home)));
  const outside = Object.values(os.networkInterfaces()).flat().find((one) => one.family === 'IPv4' && !one.internal);
  for (const bind of ['127.0.0.1', ...(outside ? [outside.address] : [])]) {
    fs.writeFileSync(announcement(home), JSON.stringify({ ...told, bind }));
    const joined = await run(home, ['status'], { env });
    // The daemon may refuse the Host of the outside address; what counts is who was asked.
    if (bind === '127.0.0.1') assert.equal(joined.code, 0, joined.stderr);
  }
  assert.deepEqual(seen, []);
});

test('a token that others can read is what is wrong, and said at once', async () => {
  const home = makeHome();
  await startDaemon(home);
  fs.chmodSync(path.join(home, 'token'), 0o644);
  const done = await run(home, ['status']);
  assert.equal(done.code, 3);
  assert.match(done.stderr, /^talon: token file '.*' can be read by others; run: chmod 600 /);
});

test('a token that was changed under the daemon is named, with the cure', async () => {
  const home = makeHome();
  const { program } = await startDaemon(home);
  fs.writeFileSync(path.join(home, 'token'), 'another-token-0123456789\n');
  const done = await run(home, ['status']);
  assert.equal(done.code, 3);
  assert.match(done.stderr, new RegExp(`does not know the token in .*kill -HUP ${program.pid}`));
  program.kill('SIGHUP');
  await program.output('stderr', /configuration reloaded/);
  assert.equal((await run(home, ['status'])).code, 0);
});

test('a suspended daemon is named as such', async () => {
  const home = makeHome();
  const { program } = await startDaemon(home);
  program.kill('SIGSTOP');
  const done = await run(home, ['status']);
  program.kill('SIGCONT');
  assert.equal(done.code, 3);
  assert.match(done.stderr, new RegExp(`process ${program.pid}, accepts no request at .*kill -CONT ${program.pid}`));
  assert.equal((await run(home, ['status'])).code, 0);
});

test('a daemon that another process starts is waited for by events', async () => {
  const home = makeHome();
  fs.mkdirSync(path.join(home, 'run'));
  fs.writeFileSync(path.join(home, 'token'), 'some-token-0123456789abc\n', { mode: 0o600 });
  // It holds the folder and never serves.
  const holder = begin(home, [path.join(home, 'run', 'lock'), '-c', 'echo $PPID > "$TALON_HOME/run/lock"; echo held; cat'], {}, { command: 'flock' });
  await holder.output('stdout', /held/);
  let asked = 0;
  const port = await listen(http.createServer((request, response) => {
    ++asked;
    // The second announcement is news, and one more look; nothing else is.
    if (asked === 1) fs.writeFileSync(announcement(home), JSON.stringify({ pid: holder.pid, bind: '127.0.0.1', port }));
    response.end('{}');
  }));
  fs.writeFileSync(announcement(home), JSON.stringify({ pid: 1, bind: '127.0.0.1', port }));
  const late = await run(home, ['models']);
  assert.equal(late.code, 3, late.stderr);
  assert.ok(asked >= 2 && asked <= 3, `asked ${asked} times`);

  // When it ends, the folder is free at once.
  fs.rmSync(announcement(home));
  const waiting = begin(home, ['ask', 'what is 6 * 7?']);
  waiting.child.stdin.end();
  holder.child.stdin.end();
  assert.equal((await waiting.exit).code, 0, waiting.stderr);
  assert.match(waiting.stdout, /42/);
});

test('commands that start at the same time share one daemon', async () => {
  const home = makeHome(mockConfig(mock));
  const all = await Promise.all([1, 2, 3, 4].map((n) => run(home, ['ask', `n${n}`])));
  for (const done of all) assert.equal(done.code, 0, done.stderr);
});

test("a chat goes on when the chat whose daemon it used is left", async () => {
  const home = makeHome(mockConfig(mock));
  const first = begin(home, ['chat', '-s', 'first']);
  await first.output('stdout', /session first/);
  const second = begin(home, ['chat', '-s', 'second']);
  await second.output('stdout', /session second/);
  first.child.stdin.end('/quit\n');
  assert.equal((await first.exit).code, 0);
  second.child.stdin.write('hello\n');
  await second.output('stdout', /\(the daemon runs inside this command now; .*\)[^]*you said hello/);
  second.child.stdin.end('/tools\n/quit\n');
  assert.equal((await second.exit).code, 0, second.stderr);
  assert.ok(!fs.existsSync(announcement(home)));
});

test('a turn whose daemon is killed is answered all the same, once', async () => {
  for (const command of ['ask', 'chat']) {
    const home = makeHome(mockConfig(mock));
    await mock.play(HANGS);
    const { program } = await startDaemon(home);
    const client = begin(home, [command, '-s', 'kept', ...(command === 'ask' ? ['hello'] : [])]);
    if (command === 'chat') client.child.stdin.write('hello\n');
    await client.output('stdout', /one/);
    await mock.play(ANSWERS);
    await program.stop('SIGKILL');
    await client.output('stdout', /four, you said hello/);
    client.child.stdin.end();
    assert.equal((await client.exit).code, 0, client.stderr);
    const shown = client.stdout + client.stderr;
    assert.match(shown, /the daemon went away; looking for another/);
    assert.ok(!/curl|127\.0\.0\.1|Failed to connect/.test(shown), shown);
    if (command === 'ask') assert.equal(client.stdout, 'one two three four, you said hello\n');
    const { data } = JSON.parse((await run(home, ['sessions', 'show', '--json', 'kept'])).stdout);
    assert.deepEqual(data.messages.map((one) => one.role), ['user', 'assistant']);
  }
});

// It gives the turn ten seconds, then leaves it to the next start.
test('a turn whose daemon is stopped in order is answered by the next', async () => {
  const home = makeHome(mockConfig(mock));
  await mock.play(HANGS);
  const { program } = await startDaemon(home);
  const client = begin(home, ['ask', 'hello']);
  client.child.stdin.end();
  await client.output('stdout', /one/);
  await mock.play(ANSWERS);
  await program.stop('SIGTERM');
  assert.equal((await client.exit).code, 0, client.stderr);
  assert.equal(client.stdout, 'one two three four, you said hello\n');
});

test('a chat that is told to end does so in order', async () => {
  for (const signal of ['SIGTERM', 'SIGHUP']) {
    await mock.play(ANSWERS);
    const home = makeHome(mockConfig(mock));
    const chat = begin(home, ['chat']);
    chat.child.stdin.write('hello\n');
    await chat.output('stdout', /you said hello/);
    chat.kill(signal);
    assert.deepEqual(await chat.exit, { code: 0, signal: null });
    assert.ok(!fs.existsSync(announcement(home)), 'its daemon was stopped');
  }
  // An answer under way is given up.
  const home = makeHome(mockConfig(mock));
  await mock.play(HANGS);
  const talon = await startDaemon(home);
  const chat = begin(home, ['chat', '-s', 'left']);
  chat.child.stdin.write('hello\n');
  await chat.output('stdout', /one/);
  chat.kill('SIGHUP');
  assert.equal((await chat.exit).code, 0, chat.stderr);
  const { messages } = (await talon.get('/v1/sessions/left/messages')).body;
  assert.equal((await talon.get(`/v1/turns/${messages[0].turn}?wait=true`)).body.state, 'cancelled');
});
