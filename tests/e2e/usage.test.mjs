// SPDX-License-Identifier: Apache-2.0
// What the command line says of words it does not know, of text it cannot send, and of a standard
// output that takes nothing; and the completion scripts, asked by the shells they are for.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { begin, makeHome, run, tempFolder } from './lib/harness.mjs';

const TALON = process.env.TALON_BIN;
let home;
before(() => { home = makeHome(); });

test('a word that is unknown is named, with the nearest one that is not', async () => {
  for (const [words, said] of [
    [['bogus'], /^talon: unknown command 'bogus'; `talon --help`/],
    [['confg', 'check'], /^talon: unknown command 'confg'; did you mean 'config'\?$/m],
    [['config', 'chek'], /^talon: config: unknown command 'chek'; did you mean 'check'\?$/m],
    [['plugin', 'lst'], /^talon: plugins: unknown command 'lst'; did you mean 'list'\?$/m],
    [['config'], /^talon: config: a command is missing: one of check, show, /],
    [['chat', '--sesion=x'], /^talon: chat: unknown option '--sesion'; did you mean '--session'\?$/m],
    [['ask', '--jsn', 'x'], /^talon: ask: unknown option '--jsn'; did you mean '--json'\?$/m],
    [['ask', 'two', 'words'], /^talon: ask: unexpected argument 'words'; `talon ask --help`/],
    [['notify'], /^talon: notify: text is required; `talon notify --help`/],
    [['completion', 'tcsh'], /^talon: completion: .*tcsh.*bash/],
  ]) {
    const done = await run(home, words);
    assert.equal(done.code, 2, words.join(' '));
    assert.match(done.stderr, said);
    assert.equal(done.stdout, '');
  }
});

test('with --json wrong usage is told as JSON', async () => {
  for (const words of [['--json', 'bogus'], ['ask', '--json', '--nope'], ['ask', '--nope', '--json'], ['completion', 'tcsh', '--json']]) {
    const done = await run(home, words);
    assert.equal(done.code, 2, words.join(' '));
    const { ok, error } = JSON.parse(done.stdout);
    assert.equal(ok, false);
    assert.equal(error.type, 'INVALID_ARGUMENT');
    assert.match(error.message, /bogus|nope|tcsh/);
    assert.equal(done.stderr, '');
  }
});

test('help is no error', async () => {
  const done = await run(home, ['plugins', 'logs', '--help']);
  assert.equal(done.code, 0);
  assert.match(done.stdout, /--follow/);
});

test('what cannot be written is an error', async () => {
  for (const words of [['version'], ['config', 'example'], ['tools', '--json'], ['ask', 'ping']]) {
    const full = begin(home, ['-c', 'exec "$0" "$@" > /dev/full', TALON, ...words], {}, { command: 'sh' });
    full.child.stdin.end();
    assert.equal((await full.exit).code, 1, words.join(' '));
    assert.match(full.stderr, /^talon: cannot write to standard output/m);
  }
  // A reader that had enough need not be told.
  const closed = 'import os, signal, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); signal.signal(signal.SIGPIPE, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])';
  const enough = begin(home, ['-c', closed, TALON, 'ask', 'ping'], {}, { command: 'python3' });
  assert.deepEqual(await enough.exit, { code: 1, signal: null });
  assert.equal(enough.stderr, '');
});

// A byte that is no text cannot be an argument of spawn(): printf makes it.
test('what is not UTF-8 is refused with its place', async () => {
  const bytes = (script) => {
    const program = begin(home, ['-c', script, TALON], {}, { command: 'bash' });
    program.child.stdin.end();
    return program.exit.then(({ code }) => ({ code, stderr: program.stderr, stdout: program.stdout }));
  };
  for (const [script, said] of [
    [`"$0" ask $'a\\xff'`, /^talon: message: invalid UTF-8 at byte 1$/m],
    [`printf 'abc\\xc3' | "$0" ask`, /^talon: message: invalid UTF-8 at byte 3$/m],
    [`"$0" ask -s $'\\xff' hello`, /^talon: session: invalid UTF-8 at byte 0$/m],
    [`"$0" notify $'\\xff'`, /^talon: text: invalid UTF-8 at byte 0$/m],
  ]) {
    const done = await bytes(script);
    assert.equal(done.code, 2, script);
    assert.match(done.stderr, said);
  }
  assert.match((await bytes(`printf 'a\\xff\\n' | "$0" chat`)).stdout, /^! message: invalid UTF-8 at byte 1$/m);
});

test('control characters of a configuration do not reach the terminal', async () => {
  const wild = tempFolder();
  fs.writeFileSync(path.join(wild, 'talon.yaml'), Buffer.from('log: {level: "\\x9b31m\\u202ered"}\nworkspace: a\x9b31m\xff\n', 'latin1'));
  for (const words of [['config', 'check'], ['serve'], ['ask', 'x'], ['doctor']]) {
    const done = spawnSync(TALON, words, { env: { PATH: process.env.PATH, TALON_HOME: wild } });
    assert.notEqual(done.status, 0, words.join(' '));
    const shown = Buffer.concat([done.stdout, done.stderr]);
    const text = shown.toString('utf8');
    assert.ok(!/[\u0080-\u009f\u202e\ufffd\x1b]/.test(text), JSON.stringify(text));
  }
});

const SCRIPTS = {
  bash: (file) => `source ${file}
    offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _talon; printf '%s\\n' "\${COMPREPLY[@]}"; }`,
  // The functions that show candidates on a line print them here.
  zsh: (file) => `autoload -Uz compinit; compinit -u -D; source ${file}
    _describe() { local -a shown; shown=("\${(@P)@[-1]}"); print -rl -- "\${(@)shown%%:*}"; }
    _files() { }
    offer() { words=("$@"); CURRENT=$#; _talon; }`,
  fish: (file) => `source ${file}
    function offer; complete -C "$argv" | string replace -r '\\t.*' ''; end`,
};

for (const [shell, script] of Object.entries(SCRIPTS)) {
  const missing = spawnSync(shell, ['--version']).error ? `no ${shell}; deploy/setup.sh --test installs it` : false;
  test(`${shell} completes commands, options and values`, { skip: missing }, async () => {
    const folder = tempFolder();
    const file = path.join(folder, '_talon');
    fs.writeFileSync(file, (await run(home, ['completion', shell])).stdout);
    const offered = (...words) => {
      const line = ['talon', ...words].map((word) => `'${word}'`).join(' ');
      const done = spawnSync(shell, ['-c', `${script(file)}\noffer ${line}`], { env: { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: folder }, encoding: 'utf8' });
      assert.equal(done.stderr, '', line);
      return done.stdout.split('\n').filter((word) => word && word.startsWith(words.at(-1)));
    };
    const has = (words, ...wanted) => {
      const found = offered(...words);
      for (const word of wanted) assert.ok(found.includes(word), `talon ${words.join(' ')}: ${found}`);
    };
    has([''], 'doctor', 'plugins', 'plugin', 'completion');
    has(['plugins', ''], 'list', 'logs', 'new');
    has(['plugin', ''], 'list', 'logs');
    has(['--json', 'pl'], 'plugins');
    has(['--json', 'plugins', '--json', 'l'], 'list', 'logs');
    has(['completion', ''], 'bash', 'zsh', 'fish');
    has(['ask', '--'], '--session', '--model', '--json');
    has(['ask', '-s', 'plugins', '--'], '--session');
    has(['plugins', 'logs', '-'], '-f', '--follow', '--lines');
    has(['plugins', 'new', '--lang', ''], 'cpp', 'go', 'python');
    assert.ok(!offered('ask', '').includes('doctor'), 'nothing that does not fit');
    assert.ok(!offered('config', '').includes('logs'), 'nothing of another command');
  });
}

test('zsh loads the script by its name from $fpath as well', { skip: spawnSync('zsh', ['--version']).error ? 'no zsh; deploy/setup.sh --test installs it' : false }, async () => {
  const folder = tempFolder();
  fs.writeFileSync(path.join(folder, '_talon'), (await run(home, ['completion', 'zsh'])).stdout);
  const done = spawnSync('zsh', ['-c', 'fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[talon]'], { cwd: folder, env: { PATH: process.env.PATH, HOME: folder }, encoding: 'utf8' });
  assert.equal(done.stdout.trim(), '_talon', done.stderr);
});
