// SPDX-License-Identifier: Apache-2.0
// A daemon with every example plugin: people with tokens of their own, kept values, notifications,
// a page, a scheduled task and a hook.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { makeHome, mockConfig, run, startDaemon, startMock, tempFolder } from './lib/harness.mjs';

const digest = (token) => createHash('sha256').update(token).digest('hex');

let home, talon, people;
before(async () => {
  people = path.join(tempFolder(), 'tokens');
  fs.writeFileSync(people, `${digest('ada-token')} ada\n${digest('bob-token')} bob default read\n`, { mode: 0o600 });
  const mock = await startMock('mode: echo\n');
  home = makeHome(mockConfig(mock, `  auth_plugin: people
storage: {plugin: storage_files}
notifications: {plugin: notify_file}
hooks: {plugins: [words]}
plugins:
  people: {plugin: auth_tokens, config: {file: ${people}, ttl_s: 0}, sandbox: {profile: none}}
  storage_files: {}
  notify_file: {}
  words: {plugin: hook_words, config: {mask: [acme], refuse: [forbidden]}}
  status: {plugin: http_status, expose: true}
  schedule_disk_watch: {config: {paths: [/], full_percent: 1}, sandbox: {profile: none}}
`));
  talon = await startDaemon(home);
});

const as = (token, url, options = {}) =>
  fetch(talon.base + url, { ...options, headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' } });
const turn = (token, message) =>
  as(token, '/v1/turns', { method: 'POST', body: JSON.stringify({ message, session: 'main', stream: false }) });
const notifications = () =>
  fs.readFileSync(path.join(home, 'plugins/data/notify_file/notifications.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);

test('each person has sessions and values of their own', async () => {
  const mine = await (await turn('ada-token', 'hello')).json();
  assert.equal(mine.text, 'hello');
  assert.equal((await as('ada-token', `/v1/sessions/${mine.session}`)).status, 200);
  for (const token of ['bob-token', talon.token]) {
    assert.equal((await as(token, `/v1/sessions/${mine.session}`)).status, 404);
    assert.equal((await as(token, `/v1/turns/${mine.turn}`)).status, 404);
  }
  assert.equal((await turn('bob-token', 'hello')).status, 403, 'bob may only read');
  assert.equal((await turn('eve-token', 'hello')).status, 401);
  assert.equal((await as('ada-token', '/v1/kv/color', { method: 'PUT', body: 'green' })).status, 200);
  assert.equal(await (await as('ada-token', '/v1/kv/color')).text(), 'green');
  assert.equal((await as('bob-token', '/v1/kv/color')).status, 404);
  assert.deepEqual((await (await as('ada-token', '/v1/kv')).json()).keys, ['color']);
});

test('a token that was taken out of the file is refused at once, and a lost file lets nobody in', async () => {
  const text = fs.readFileSync(people, 'utf8');
  fs.writeFileSync(people, text.split('\n')[0] + '\n');
  assert.equal((await as('bob-token', '/v1/models')).status, 401);
  fs.rmSync(people);
  assert.equal((await as('ada-token', '/v1/models')).status, 503);
  assert.equal((await as(talon.token, '/v1/models')).status, 200);
  fs.writeFileSync(people, text, { mode: 0o600 });
  assert.equal((await as('bob-token', '/v1/models')).status, 200);
});

test('a hook masks words before the model has them, and refuses others', async () => {
  const masked = await (await turn('ada-token', 'I work at Acme')).json();
  assert.equal(masked.text, 'I work at ****');
  const refused = await turn('ada-token', 'a forbidden word');
  assert.equal(refused.status, 403);
  assert.match((await refused.json()).error.message, /hook 'words'/);
});

test('a page needs the token, a public route does not', async () => {
  assert.equal((await fetch(`${talon.base}/plugins/status/`)).status, 401);
  const page = await as('bob-token', '/plugins/status/');
  assert.match(await page.text(), /<h1>Status<\/h1>/);
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
  assert.equal(await (await fetch(`${talon.base}/plugins/status/ping`)).text(), 'ok\n');
});

test('a task runs at the start and brings what it found; talon notify takes the same way', async () => {
  await talon.log(/"message":"task ran"/);
  const tasks = (await talon.get('/v1/tasks')).body.tasks;
  assert.equal(tasks.length, 1);
  assert.equal(tasks[0].last_ok, true);
  assert.match(tasks[0].last_summary, /% used/);
  assert.equal(notifications()[0].title, 'Disk nearly full');
  const sent = await run(home, ['notify', 'the backup is done', '--level', 'urgent']);
  assert.equal(sent.code, 0, sent.stderr);
  assert.equal(notifications().at(-1).text, 'the backup is done');
  assert.equal(notifications().at(-1).level, 'urgent');
  assert.equal((await as('ada-token', '/v1/tasks')).status, 403);
});
