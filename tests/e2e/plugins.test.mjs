// SPDX-License-Identifier: Apache-2.0
// Plugins from the shell: looking, calling, trusting, switching; configuration changed under a daemon.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { begin, makeHome, run, startDaemon } from './lib/harness.mjs';

const BUNDLED = path.join(path.dirname(process.env.TALON_BIN), '../lib/talon/plugins');
const config = (more = '') => `gateway:\n  http: {port: 0}\n${more}`;
const json = async (home, args) => JSON.parse((await run(home, [...args, '--json'])).stdout);
const stateOf = async (home, name) =>
  (await json(home, ['plugins'])).data.plugins.find((one) => one.name === name)?.state;

// The bundled `files` as the user's own plugin.
function install(home, name) {
  const folder = path.join(home, 'plugins', name);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  fs.copyFileSync(path.join(BUNDLED, 'files/files'), path.join(folder, name));
  fs.copyFileSync(path.join(BUNDLED, 'files/manifest.json'), path.join(folder, 'manifest.json'));
  return path.join(folder, name);
}

test('plugins start whatever the length of the home', async () => {
  const short = makeHome(config());
  const missing = (length) => Math.max(0, length - short.length - 1);
  for (const length of [24, 40, 45, 50, 56, 64, 90]) {
    const home = path.join(short, 'h'.repeat(missing(length)));
    fs.mkdirSync(home, { recursive: true, mode: 0o700 });
    const done = await run(home, ['plugins', 'run', 'files', 'list', 'path=.']);
    assert.equal(done.code, 0, `${home.length}: ${done.stderr}`);
  }
});

test('a tool is run without a daemon, and its exit code says how it went', async () => {
  const home = makeHome(config());
  const wrote = await run(home, ['plugin', 'run', 'files', 'write', 'path=a.txt', 'content=hi there']);
  assert.equal(wrote.code, 0, wrote.stderr);
  const read = await run(home, ['plugins', 'run', 'files', 'read', '{"path":"a.txt"}']);
  assert.equal(read.stdout.trim(), 'hi there');
  assert.equal((await run(home, ['plugins', 'run', 'files', 'files__read', 'path=a.txt'])).stdout, read.stdout);
  assert.equal((await run(home, ['plugins', 'run', 'files', 'read', 'path=none'])).code, 1);
  assert.equal((await run(home, ['plugins', 'run', 'files', 'read', 'pth=a.txt'])).code, 2);
  assert.equal((await run(home, ['plugins', 'run', 'files', 'reed', 'path=a.txt'])).code, 2);
  assert.equal((await run(home, ['plugins', 'run', 'files', 'read', 'path'])).code, 2);
});

test('a plugin in a folder is untrusted until it is trusted, and again when it changed', async () => {
  const home = makeHome(config());
  const program = install(home, 'mine');
  assert.equal(await stateOf(home, 'mine'), 'untrusted');
  assert.match((await run(home, ['plugins'])).stdout, /^mine +untrusted .*talon plugins trust mine/m);
  const refused = await run(home, ['plugins', 'run', 'mine', 'list', 'path=.']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /untrusted|not trusted/);
  assert.equal((await run(home, ['plugins', 'trust', 'mine'])).code, 2, 'nobody to ask');
  const trusted = await run(home, ['plugins', 'trust', 'mine', '--yes']);
  assert.equal(trusted.code, 0, trusted.stderr);
  assert.match(trusted.stdout, /sha256 +[0-9a-f]{64}/);
  assert.match(trusted.stdout, /read \(READ readOnly/);
  assert.equal((await run(home, ['plugins', 'run', 'mine', 'list', 'path=.'])).code, 0);
  assert.equal(fs.statSync(path.join(home, 'plugins/plugins.lock')).mode & 0o777, 0o600);
  fs.appendFileSync(program, 'x');
  assert.equal(await stateOf(home, 'mine'), 'untrusted');
  assert.match((await run(home, ['plugins', 'inspect', 'mine'])).stdout, /has changed since it was trusted/);
});

test('inspect asks a program that is no plugin', async () => {
  const home = makeHome(config());
  const shown = await run(home, ['plugins', 'inspect', path.join(BUNDLED, 'files/files')]);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /^ {2}read \(READ/m);
  const wrong = await run(home, ['plugins', 'inspect', '/bin/true']);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /ended without one/);
});

test('disable and enable outlive the daemon', async () => {
  const home = makeHome(config());
  assert.equal((await run(home, ['plugins', 'disable', 'shell'])).code, 0);
  assert.equal(await stateOf(home, 'shell'), 'disabled');
  assert.equal((await run(home, ['plugins', 'enable', 'shell'])).code, 0);
  assert.equal(await stateOf(home, 'shell'), 'stopped');
});

let daemon, home;
before(async () => {
  home = makeHome(config());
  daemon = await startDaemon(home);
});

test('a plugin is added, changed and taken away while the daemon runs', async () => {
  const configure = async (text) => {
    const from = daemon.program.stderr.length;
    fs.writeFileSync(path.join(home, 'talon.yaml'), config(text));
    await daemon.log(/plugins are as configured/, from);
  };
  const entry = `plugins:\n  more:\n    plugin: ${BUNDLED}/files/files\n`;
  await configure(entry);
  assert.equal(await stateOf(home, 'more'), 'stopped');
  assert.equal((await run(home, ['plugins', 'run', 'more', 'list', 'path=.'])).code, 0);
  assert.equal(await stateOf(home, 'more'), 'running');
  await configure(entry + '    enabled: false\n');
  assert.equal(await stateOf(home, 'more'), 'disabled');
  await configure('');
  assert.equal(await stateOf(home, 'more'), undefined);
});

test('logs are shown and followed', async () => {
  await run(home, ['plugins', 'run', 'files', 'list', 'path=.']);
  assert.match((await run(home, ['plugins', 'logs', 'files'])).stdout, /talon started, process \d+/);
  const following = begin(home, ['plugins', 'logs', 'files', '-n', '1', '-f']);
  await following.output('stdout', /started, process/);
  assert.equal((await run(home, ['plugins', 'restart', 'files'])).code, 0);
  await following.output('stdout', /stopped by the operator/);
  following.child.kill('SIGTERM');
});

test('reload keeps answering', async () => {
  assert.equal((await run(home, ['plugins', 'reload', 'files'])).code, 0);
  assert.equal((await run(home, ['plugins', 'run', 'files', 'list', 'path=.'])).code, 0);
  assert.equal((await run(home, ['plugins', 'reload', 'nope'])).code, 1);
});
