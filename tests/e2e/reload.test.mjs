// SPDX-License-Identifier: Apache-2.0
// Reloading at bad moments, and what a reload must not tell.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { makeHome, run, spawnDaemon, startDaemon, tempFolder } from './lib/harness.mjs';

test('SIGHUP during the start is a reload after it', async () => {
  const home = makeHome();
  // A plugin that says nothing until somebody writes into the pipe, and then that it is none.
  const pipe = path.join(home, 'pipe');
  const slow = path.join(home, 'slow');
  spawnSync('mkfifo', [pipe]);
  fs.writeFileSync(slow, `#!/bin/sh\nread line < ${pipe}\necho "$line"\n`, { mode: 0o755 });
  fs.appendFileSync(path.join(home, 'talon.yaml'), `plugins:\n  slow: {plugin: ${slow}, sandbox: {profile: none}}\n`);
  const program = spawnDaemon(home);
  const writer = await fs.promises.open(pipe, 'w');  // opens when the plugin reads
  program.kill('SIGHUP');
  program.kill('SIGHUP');
  await writer.write('no handshake\n');
  await writer.close();
  await program.output('stderr', /configuration reloaded; nothing changed/);
  assert.equal((await program.stop('SIGTERM')).code, 0);
});

test('a reload tells neither the old nor the new credential', async () => {
  const config = (secret) => `gateway:\n  http: {port: 0}\nmodels:\n  providers:\n    own:\n      base_url: http://127.0.0.1:9/v1\n      headers: {Authorization: "Bearer sk-${secret}"}\nplugins:\n  files:\n    env: {SOME_TOKEN: env-${secret}}\n`;
  const home = makeHome(config('first-secret'));
  const daemon = await startDaemon(home);
  fs.writeFileSync(path.join(home, 'talon.yaml'), config('second-secret'));
  await daemon.log(/models\.providers\.own\.headers\.Authorization/);
  assert.equal((await daemon.stop()).code, 0);
  assert.ok(!daemon.program.stderr.includes('-secret'), daemon.program.stderr);
});

test('the policy is read again on SIGHUP; one that cannot be read leaves the old one in force', async () => {
  const policy = path.join(tempFolder(), 'policy.yaml');
  const say = (answer) => fs.writeFileSync(policy, `rules:\n  - {effects: [write], clean: ${answer}}\n`);
  say('refuse');
  const home = makeHome(`gateway:\n  http: {port: 0}\nguard:\n  policy: ${policy}\n`);
  const daemon = await startDaemon(home);
  const explain = async () => (await run(home, ['policy', 'explain', 'files__write {"path":"a","content":"x"}'])).stdout;
  assert.match(await explain(), /files__write: refuse/);
  say('allow');
  daemon.program.kill('SIGHUP');
  await daemon.log(/configuration reloaded/);
  assert.match(await explain(), /files__write: allow/);
  say('perhaps');
  daemon.program.kill('SIGHUP');
  await daemon.log(/configuration not reloaded.*guard\.policy.*'perhaps' is not one of allow, ask, refuse/);
  assert.match(await explain(), /files__write: allow/);
  assert.equal((await daemon.stop()).code, 0);
});

test('a configuration that is deleted leaves the old one in force, until there is one again', async () => {
  const home = makeHome('gateway:\n  http: {port: 0}\nlog: {level: info}\n');
  const file = path.join(home, 'talon.yaml');
  const daemon = await startDaemon(home);
  fs.rmSync(file);
  await daemon.log(/configuration not reloaded; the old one stays in force/);
  assert.equal((await daemon.get('/v1/status')).status, 200);
  fs.writeFileSync(file, 'gateway:\n  http: {port: 0}\nlog: {level: debug}\n');
  await daemon.log(/configuration changed.*log\.level/);
  assert.equal((await daemon.stop()).code, 0);
});

test('what waits for a restart is told, a provider at a time', async () => {
  const home = makeHome();
  const file = path.join(home, 'talon.yaml');
  const daemon = await startDaemon(home);
  assert.match(daemon.program.stderr, new RegExp(`"url":"${daemon.base}","token_in":"${home}/token","model":"reflex/reflex"`));
  fs.writeFileSync(file, 'gateway:\n  http: {port: 0}\nmodels:\n  providers:\n    own: {base_url: "http://127.0.0.1:9/v1", models: [{id: m1}]}\n');
  await daemon.log(/configuration changed; in force after a restart.*"models\.providers\.own"/);
  assert.equal(daemon.program.stderr.match(/in force after a restart/g).length, 1);
  assert.deepEqual((await daemon.get('/v1/status')).body.restart_needed, ['models.providers.own']);
  assert.match((await run(home, ['status'])).stdout, /restart needed .*: models\.providers\.own/);
  assert.match((await run(home, ['doctor'])).stdout, /warn configuration +restart needed .*models\.providers\.own/);
  fs.writeFileSync(file, 'gateway:\n  http: {port: 0}\n');
  await daemon.log(/"after":"removed"/);
  assert.deepEqual((await daemon.get('/v1/status')).body.restart_needed, []);
  assert.equal((await daemon.stop()).code, 0);
});

test('a configuration that is a link is read again when its target changes', async () => {
  const home = makeHome();
  const file = path.join(home, 'talon.yaml');
  const target = path.join(tempFolder(), 'kept.yaml');
  fs.writeFileSync(target, 'gateway:\n  http: {port: 0}\nlog: {level: info}\n');
  fs.rmSync(file);
  fs.symlinkSync(target, file);
  const daemon = await startDaemon(home);
  fs.writeFileSync(target, 'gateway:\n  http: {port: 0}\nlog: {level: debug}\n');
  await daemon.log(/configuration changed.*log\.level/);
  assert.equal((await daemon.stop()).code, 0);
});

test('a log that nobody reads any more does not end the daemon', async () => {
  const daemon = await startDaemon(makeHome());
  daemon.program.child.stderr.destroy();
  daemon.program.kill('SIGHUP');  // writes to the log
  assert.equal((await daemon.get('/v1/status')).status, 200);
  daemon.program.kill('SIGHUP');
  assert.equal((await daemon.get('/v1/status')).status, 200);
  assert.equal((await daemon.stop()).code, 0);
});
