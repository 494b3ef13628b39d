// SPDX-License-Identifier: Apache-2.0
// The daemon with the mcp plugin and npm's `everything` behind it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run, startBoth, tempFolder } from '../e2e/lib/harness.mjs';
import { startGuarded } from './guarded_server.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const everything = path.join(here, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');

// A program that is there, and that no grant shows to the plugin.
const hidden = path.join(tempFolder(), 'npx');
fs.writeFileSync(hidden, '#!/bin/sh\n', { mode: 0o755 });

const guarded = await startGuarded();
after(() => guarded.stop());

const SCRIPT = `
mode: echo
rules:
  - match: {user: "say hello", round: 0}
    answer: {calls: [{tool: talon__load_tools, args: {names: [mcp__every__echo]}}]}
  - match: {user: "say hello", tool: mcp__every__echo, round: 1}
    answer: {calls: [{tool: mcp__every__echo, args: {message: "hello from afar"}}]}
  - match: {user: "say hello", after_tool: true}
    answer: "the tool has answered"
`;

const config = `plugins:
  mcp:
    start_timeout: 60s
    sandbox: {read_paths: ["${path.join(here, 'node_modules')}"]}
    credentials: {GIVEN: credential-value-0123456789}
    config:
      wait_ms: 40000
      servers:
        every:
          command: ${process.execPath}
          args: ["${everything}", stdio]
          env: {SEEN: $(GIVEN)}
        broken:
          command: no-such-program
        hidden:
          command: ${hidden}
        rooted:
          command: ${process.execPath}
          roots: ["${path.dirname(hidden)}"]
        guarded:
          url: ${guarded.url}
          oauth: true
          trust_hints: true
  offline:
    plugin: ${path.join(path.dirname(process.env.TALON_BIN), '../lib/talon/plugins/mcp/mcp')}
    sandbox: {network: none}
    config:
      servers:
        far: {url: "http://127.0.0.1:9/mcp"}
`;

const { mock, home, talon } = await startBoth(SCRIPT, config);

test('a server\'s tools are the plugin\'s', async () => {
  const { stdout } = await run(home, ['plugins', 'inspect', 'mcp']);
  assert.match(stdout, /every__echo/);
  assert.match(stdout, /every__resources_read/);
});

test('a tool is called from the shell', async () => {
  const done = await run(home, ['plugins', 'run', 'mcp', 'every__echo', 'message=hello']);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /Echo: hello/);
});

test('the state of every server is told', async () => {
  const done = await run(home, ['plugins', 'run', 'mcp', 'status']);
  assert.match(done.stdout, /every: connected, revision 2025-11-25/);
  assert.match(done.stdout, /broken: broken/);
});

test('a server that lacks a grant says what to write', async () => {
  const { stdout } = await run(home, ['plugins', 'run', 'mcp', 'status']);
  const [, program] = stdout.match(/^hidden: broken, 0 tools: (.*)$/m);
  assert.ok(program.includes(`'${hidden}' is not there or not shown by the sandbox`), program);
  assert.match(program, /`sandbox\.read_paths` of this plugin's entry/);
  const [, folder] = stdout.match(/^rooted: broken, 0 tools: (.*)$/m);
  assert.ok(folder.includes(`roots: the folder '${path.dirname(hidden)}' is not there or not shown`), folder);
  const offline = await run(home, ['plugins', 'run', 'offline', 'status']);
  assert.match(offline.stdout, /far: broken, .*there is no network in the sandbox: say `sandbox: {network: outbound}`/);
});

test('a model calls a server\'s tool', async () => {
  await mock.forget();
  const answer = await talon.post('/v1/chat/completions', { model: 'talon', messages: [{ role: 'user', content: 'say hello' }] });
  assert.equal((await answer.json()).choices[0].message.content, 'the tool has answered');
  const requests = await mock.requests();
  const offered = JSON.stringify(requests[0].body.messages);
  assert.match(offered, /- mcp__every__echo: /);
  assert.doesNotMatch(offered, /mcp__status/);
  assert.match(JSON.stringify(requests.at(-1).body.messages), /Echo: hello from afar/);
});

test('a server sees the credential its entry names, and nothing of the daemon', async () => {
  const done = await run(home, ['plugins', 'run', 'mcp', 'every__get-env']);
  assert.match(done.stdout, /SEEN/);
  assert.doesNotMatch(done.stdout, /TALON_HOME|credential-value/);
});

test('a person signs in at a server, once', async () => {
  const plugin = (tool, ...words) => run(home, ['plugins', 'run', 'mcp', tool, ...words]);
  assert.match((await plugin('status')).stdout, /guarded: .*a person has to sign in: `talon plugins run mcp sign_in server=guarded`/);
  const { stdout } = await plugin('sign_in', 'server=guarded');
  const [page] = stdout.match(/http:\/\/127\S*authorize\S*/);
  const led = (await fetch(page, { redirect: 'manual' })).headers.get('location');
  const done = await plugin('sign_in', 'server=guarded', `address=${led}`);
  assert.match(done.stdout, /signed in at 'guarded'; connected/, done.stderr);
  await talon.log(/tools have changed.*guarded__look/);
  assert.match((await plugin('guarded__look')).stdout, /seen/);
  // A token that is worth nothing any more is renewed without the person.
  guarded.revoke();
  assert.match((await plugin('guarded__look')).stdout, /seen/);
  assert.equal(guarded.tokens(), 2);
});
