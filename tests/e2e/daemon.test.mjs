// SPDX-License-Identifier: Apache-2.0
// The daemon as a process: one a home, ports, signals, reload, bad homes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { TOKEN, canMount, makeHome, mockConfig, run, spawnDaemon, startDaemon, startMock, tempFolder, within } from './lib/harness.mjs';

const SCRIPT = `
mode: echo
rules:
  - match: {user: slow}
    answer: "one two three four"
    delivery: {event_delay_ms: 100, text_bytes: 4}
  - match: {user: "for ever"}
    delivery: {hang: true}
`;

test('a second daemon on the same home is refused and harms nothing', async () => {
  const home = makeHome();
  const first = await startDaemon(home);
  const second = spawnDaemon(home);
  const { code } = await second.exit;
  assert.equal(code, 1);
  assert.match(second.stderr, /cannot start: .*(already|in use|another)/);
  assert.ok(second.stderr.includes(String(first.program.pid)), `names the pid: ${second.stderr}`);
  assert.equal((await first.get('/v1/status')).status, 200);
  assert.ok(fs.existsSync(path.join(home, 'run', 'daemon.json')));
  assert.match((await run(home, ['status'])).stdout, new RegExp(`pid ${first.program.pid}\\b`));
});

test('a port in use is refused and named', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  const program = spawnDaemon(makeHome(`gateway:\n  http: {port: ${port}}\n`));
  const { code } = await program.exit;
  server.close();
  assert.equal(code, 1);
  assert.match(program.stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use.*TALON_GATEWAY_HTTP_PORT`));
});

test('SIGTERM lets the turn under way finish, then ends', async () => {
  const mock = await startMock(SCRIPT);
  const daemon = await startDaemon(makeHome(mockConfig(mock)));
  const answer = await daemon.post('/v1/chat/completions', { model: 'talon', stream: true, messages: [{ role: 'user', content: 'slow' }] });
  daemon.program.kill('SIGTERM');
  const text = await answer.text();
  assert.equal([...text.matchAll(/"content":"([^"]+)"/g)].map((match) => match[1]).join(''), 'one two three four');
  assert.match(text, /\[DONE\]/);
  const { code, signal } = await daemon.program.exit;
  assert.equal(signal, null);
  assert.equal(code, 0);
  assert.ok(!fs.existsSync(path.join(daemon.home, 'run', 'daemon.json')));
  await assert.rejects(fetch(`${daemon.base}/health`));
});

test('a second signal ends at once', async () => {
  const mock = await startMock(SCRIPT);
  const daemon = await startDaemon(makeHome(mockConfig(mock)));
  const answer = await daemon.post('/v1/turns', { message: 'for ever' });
  daemon.program.kill('SIGTERM');
  await daemon.log(/"stopping"/);
  daemon.program.kill('SIGTERM');
  const { code } = await daemon.program.exit;
  assert.equal(code, 130);
  await answer.body.cancel().catch(() => {});
});

test('a changed file is reloaded: what is in force at once, what after a restart', async () => {
  const config = 'gateway:\n  http: {port: 0}\n';
  const home = makeHome(config);
  const file = path.join(home, 'talon.yaml');
  const daemon = await startDaemon(home);
  const host = { headers: { Authorization: `Bearer ${daemon.token}` } };
  fs.writeFileSync(file, `${config}  allowed_origins: ["https://ui.example"]\norchestrator:\n  max_rounds_chat: 7\n`);
  await daemon.log(/"configuration changed","key":"gateway\.allowed_origins\[0\]"/);
  await daemon.log(/"configuration changed; in force after a restart","key":"orchestrator\.max_rounds_chat","before":"30","after":"7"/);
  const admitted = await fetch(`${daemon.base}/v1/models`, { headers: { ...host.headers, Origin: 'https://ui.example' } });
  assert.equal(admitted.status, 200);

  let seen = daemon.program.stderr.length;
  fs.writeFileSync(file, 'gateway:\n  htpp: {port: 0}\n');
  await daemon.log(/not reloaded; the old one stays in force.*talon\.yaml:2: gateway\.htpp: unknown key; did you mean 'http'/, seen);
  assert.equal((await daemon.get('/v1/status')).status, 200);

  // As editors do it: a new file in the old one's place.
  seen = daemon.program.stderr.length;
  fs.writeFileSync(`${file}.new`, `${config}log:\n  level: debug\n`);
  fs.renameSync(`${file}.new`, file);
  await daemon.log(/"configuration changed","key":"log\.level","before":"info","after":"debug"/, seen);

  seen = daemon.program.stderr.length;
  daemon.program.kill('SIGHUP');
  await daemon.log(/configuration reloaded; nothing changed/, seen);
});

test('a new token in the configuration is in force at once', async () => {
  const config = 'gateway:\n  http: {port: 0}\n  token: first-token-0123456789\n';
  const home = makeHome(config);
  fs.writeFileSync(path.join(home, 'token'), 'first-token-0123456789\n', { mode: 0o600 });
  const daemon = await startDaemon(home);
  assert.equal((await daemon.get('/v1/status')).status, 200);
  fs.writeFileSync(path.join(home, 'talon.yaml'), config.replace('first', 'second'));
  await daemon.log(/"configuration changed","key":"gateway\.token"/);
  assert.equal((await daemon.get('/v1/status')).status, 401);
  const fresh = await fetch(`${daemon.base}/v1/status`, { headers: { Authorization: 'Bearer second-token-0123456789' } });
  assert.equal(fresh.status, 200);
  assert.ok(!/(first|second)-token-0123456789/.test(daemon.program.stderr), 'no token in the log');
});

test('history survives a restart, and a killed daemon too', async () => {
  const mock = await startMock('rules:\n  - answer: "{{messages}}"\n');
  const home = makeHome(mockConfig(mock));
  const users = async () => (await mock.requests()).at(-1).body.messages.filter((one) => one.role === 'user').length;
  const ask = (daemon) => daemon.post('/v1/chat/completions', { model: 'talon', user: 'anna', messages: [{ role: 'user', content: 'x' }] });
  let daemon = await startDaemon(home);
  assert.equal((await ask(daemon)).status, 200);
  assert.equal((await daemon.stop('SIGTERM')).code, 0);
  daemon = await startDaemon(home);
  assert.equal((await ask(daemon)).status, 200);
  assert.equal(await users(), 2);
  await daemon.stop('SIGKILL');
  daemon = await startDaemon(home);
  assert.equal((await ask(daemon)).status, 200);
  assert.equal(await users(), 3);
});

test('a turn that the death of the daemon broke off is finished by the next one', async () => {
  const mock = await startMock(SCRIPT);
  const home = makeHome(mockConfig(mock));
  let daemon = await startDaemon(home);
  const answer = await daemon.post('/v1/turns', { session: 'anna', message: 'for ever' });
  const { value } = await answer.body.getReader().read();
  const turn = /"turn":"([^"]+)"/.exec(new TextDecoder().decode(value))[1];
  await daemon.stop('SIGKILL');
  await mock.play('mode: echo');
  daemon = await startDaemon(home);
  const { body } = await daemon.get(`/v1/turns/${turn}?wait=true`);
  assert.equal(body.state, 'completed');
  assert.equal(body.text, 'for ever');
});

test('a command that the death of the daemon broke off is not repeated, and that is said', async () => {
  const mock = await startMock(`
rules:
  - match: {after_tool: false}
    answer: {calls: [{tool: shell__run, args: {command: "echo ran >> ran.txt; sleep 600"}}]}
  - match: {after_tool: true}
    answer: "told"
`);
  const home = makeHome(mockConfig(mock));
  const workspace = path.join(home, 'workspace', 'main');
  fs.mkdirSync(workspace, { recursive: true });
  let daemon = await startDaemon(home);
  const ran = new Promise((resolve) => {
    const watch = fs.watch(workspace, (_, name) => {
      if (name !== 'ran.txt' || fs.readFileSync(path.join(workspace, name), 'utf8') !== 'ran\n') return;
      watch.close();
      resolve();
    });
  });
  const answer = await daemon.post('/v1/turns', { session: 'anna', message: 'go' });
  const { value } = await answer.body.getReader().read();
  const turn = /"turn":"([^"]+)"/.exec(new TextDecoder().decode(value))[1];
  await within(30_000, ran, 'the command');
  await daemon.stop('SIGKILL');
  daemon = await startDaemon(home);
  const { body } = await daemon.get(`/v1/turns/${turn}?wait=true`);
  assert.equal(body.state, 'completed');
  assert.equal(body.text, 'told');
  const told = (await mock.requests()).at(-1).tool_result;
  assert.match(told, /outcome unknown: the process ended while this call ran; it was not repeated/);
  assert.equal(fs.readFileSync(path.join(workspace, 'ran.txt'), 'utf8'), 'ran\n');
});

const noIpv6 = !Object.values(os.networkInterfaces()).flat().some((one) => one.address === '::1') && 'no IPv6 loopback here';

test('it listens on ::1 and its clients find it there', { skip: noIpv6 }, async () => {
  const daemon = await startDaemon(makeHome('gateway:\n  http: {port: 0, bind: "::1"}\n'));
  const answer = await fetch(`http://[::1]:${daemon.port}/v1/status`, { headers: { Authorization: `Bearer ${daemon.token}` } });
  assert.equal(answer.status, 200);
  await assert.rejects(fetch(`http://127.0.0.1:${daemon.port}/health`));
  assert.match((await run(daemon.home, ['status'])).stdout, new RegExp(`pid ${daemon.program.pid}\\b`));
});

test('a variable that nothing reads is warned about', async () => {
  const daemon = await startDaemon(makeHome(), { TALON_WORKSPCE: '/tmp', TALON_LONG: '1' });
  await daemon.log(/"warn".*TALON_WORKSPCE: nothing reads it; did you mean TALON_WORKSPACE\?/);
  assert.ok(!daemon.program.stderr.includes('TALON_LONG'));
});

test('it may open as many descriptors as the machine lets it, its commands as many as before', async () => {
  const mock = await startMock(`
rules:
  - match: {after_tool: false}
    answer: {calls: [{tool: shell__run, args: {command: "ulimit -Sn"}}]}
  - match: {after_tool: true}
    answer: "{{tool_result}}"
`);
  const daemon = await startDaemon(makeHome(mockConfig(mock, 'plugins:\n  shell: {sandbox: {profile: none}}\n')), {}, '', { softLimit: 300 });
  const [, soft, hard] = /Max open files +(\d+) +(\d+)/.exec(fs.readFileSync(`/proc/${daemon.program.pid}/limits`, 'utf8'));
  assert.equal(Number(soft), Math.min(Number(hard), 65536));
  const answer = await (await daemon.post('/v1/turns', { message: 'go', stream: false })).json();
  assert.match(answer.text, /^300$/m);
});

test('strangers that hold every connection leave descriptors for plugins', async () => {
  const mock = await startMock(`
rules:
  - match: {after_tool: false}
    answer: {calls: [{tool: files__list, args: {path: "."}}]}
  - match: {after_tool: true}
    answer: "{{tool_result}}"
`);
  const daemon = await startDaemon(makeHome(mockConfig(mock)), {}, '', { hardLimit: 256 });
  assert.match(daemon.program.stderr, /fewer connections than configured/);
  // One connection from before them, which is kept.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method, url, body = '') => new Promise((resolve, reject) => {
    const request = http.request(daemon.base + url, { method, agent, headers: { Authorization: `Bearer ${daemon.token}` } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => resolve(text));
    });
    request.on('error', reject).end(body);
  });
  await ask('GET', '/health');
  const strangers = [];
  for (let i = 0; i < 400; ++i) {
    strangers.push(net.connect(daemon.port, '127.0.0.1').on('error', () => {}));
  }
  await new Promise((resolve) => strangers.at(-1).resume().on('close', resolve));  // there is no place for it
  const answer = JSON.parse(await ask('POST', '/v1/turns', JSON.stringify({ message: 'go', stream: false })));
  assert.equal(answer.state, 'completed', JSON.stringify(answer));
  assert.doesNotMatch(daemon.program.stderr, /accepting connections rests/);
  for (const socket of strangers) socket.destroy();
  agent.destroy();
});

test('a token file that others can read is refused', async () => {
  const home = makeHome();
  fs.writeFileSync(path.join(home, 'token'), 'x'.repeat(64), { mode: 0o644 });
  const program = spawnDaemon(home);
  assert.equal((await program.exit).code, 1);
  assert.match(program.stderr, /token file .* can be read by others; run: chmod 600/);
});

test('a home that is no folder is refused and named', async () => {
  const file = path.join(makeHome(), 'file');
  fs.writeFileSync(file, '');
  const program = spawnDaemon(path.join(file, 'home'), {});
  assert.equal((await program.exit).code, 1);
  assert.ok(program.stderr.includes(file), program.stderr);
});

const noMount = !canMount() && 'user namespaces are not allowed here';

// A configuration outside the home folder, which the daemon sees as a tmpfs.
function configured(text) {
  const file = path.join(tempFolder(), 'talon.yaml');
  fs.writeFileSync(file, text);
  return { TALON_CONFIG: file };
}

test('a read-only home is refused and named', { skip: noMount }, async () => {
  const home = tempFolder();
  const program = spawnDaemon(home, configured('gateway:\n  http: {port: 0}\n'), 'ro');
  assert.equal((await program.exit).code, 1);
  assert.match(program.stderr, new RegExp(`cannot start: .*${home}.*[Rr]ead-only`));
});

test('a full disk refuses turns, says so, and keeps what was there', { skip: noMount }, async () => {
  const mock = await startMock('mode: echo');
  const daemon = await startDaemon(tempFolder(), configured(`${mockConfig(mock)}  token: ${TOKEN}\n`), 'size=1m');
  const ask = (content) => daemon.post('/v1/chat/completions', { model: 'talon', user: 'anna', messages: [{ role: 'user', content }] });
  assert.equal((await ask('first')).status, 200);
  let answer;
  let tries = 0;
  do {
    // Random text: a journal that compresses is filled as well.
    answer = await ask(Array.from({ length: 20_000 }, () => Math.random().toString(36).slice(2)).join(''));
  } while (answer.status === 200 && ++tries < 50);
  assert.equal(answer.status, 507);
  const { error } = await answer.json();
  assert.equal(error.type, 'storage_full');
  assert.match(error.message, /free some space/);
  assert.equal((await fetch(`${daemon.base}/health`)).status, 200);
  const { sessions } = (await daemon.get('/v1/sessions')).body;
  const { messages } = (await daemon.get(`/v1/sessions/${sessions[0].id}/messages`)).body;
  assert.equal(messages[0].content.parts[0].text, 'first');
  assert.equal((await daemon.stop()).code, 0);
});
