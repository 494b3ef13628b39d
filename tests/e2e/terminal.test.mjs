// SPDX-License-Identifier: Apache-2.0
// chat on a terminal: `script` lends one, so that Ctrl-C is a key and not a signal of ours.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { begin, startBoth } from './lib/harness.mjs';

const SCRIPT = `
rules:
  - match: {user: "for ever"}
    answer: "one two three four"
    delivery: {hang_after: 2, text_bytes: 4}
  - match: {user: "/./"}
    answer: "you said {{user}}"
`;
const CTRL_C = '\x03';
const noScript = spawnSync('script', ['--version']).error ? 'no `script` program (bsdutils)' : false;

test('Ctrl-C: nothing at the prompt, the end of the answer under way', { skip: noScript }, async () => {
  const { home, talon } = await startBoth(SCRIPT);
  const chat = begin(home, ['-qec', `exec ${process.env.TALON_BIN} chat -s typed`, '/dev/null'], { TERM: 'dumb' }, { command: 'script' });
  const type = (text) => chat.child.stdin.write(text);
  await chat.output('stdout', /session typed/);
  await chat.output('stdout', /> $/);

  let seen = chat.stdout.length;
  type(CTRL_C);
  await chat.output('stdout', /\(\/quit leaves\)[^]*> $/, seen);

  seen = chat.stdout.length;
  type('for ever\r');
  await chat.output('stdout', /one/, seen);
  type(CTRL_C);
  await chat.output('stdout', /\(cancelled\)[^]*> $/, seen);
  const { messages } = (await talon.get('/v1/sessions/typed/messages')).body;
  const { body } = await talon.get(`/v1/turns/${messages[0].turn}?wait=true`);
  assert.equal(body.state, 'cancelled');

  seen = chat.stdout.length;
  type('still here?\r');
  await chat.output('stdout', /you said still here\?/, seen);
  type('/quit\r');
  assert.equal((await chat.exit).code, 0);
});

test('every line is kept as it was typed, also when the chat is killed', { skip: noScript }, async () => {
  const { home } = await startBoth(SCRIPT);
  const open = () => begin(home, ['-qec', `exec ${process.env.TALON_BIN} chat`, '/dev/null'], { TERM: 'dumb' }, { command: 'script' });
  const inside = (chat) => Number(fs.readFileSync(`/proc/${chat.pid}/task/${chat.pid}/children`, 'utf8'));
  const chat = open();
  await chat.output('stdout', /> $/);
  chat.child.stdin.write('grüße, 世界 🦅\r');
  await chat.output('stdout', /you said grüße, 世界 🦅[^]*> $/);
  process.kill(inside(chat), 'SIGKILL');
  await chat.exit;

  const next = open();
  await next.output('stdout', /> $/);
  const seen = next.stdout.length;
  next.child.stdin.write('\x10\r');  // Ctrl-P: the line before
  await next.output('stdout', /you said grüße, 世界 🦅[^]*> $/, seen);
  process.kill(inside(next), 'SIGTERM');
  assert.equal((await next.exit).code, 0);
});
