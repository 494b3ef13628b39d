// SPDX-License-Identifier: Apache-2.0
// The world of a run: a real daemon with its real plugins, the mock that plays the hijacked model, a
// site that serves pages and notes who comes, an MCP server, a person with a token of her own. All on
// this machine.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeHome, mockConfig, startDaemon, startMock, tempFolder } from '../../e2e/lib/harness.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const TURN_MS = 60_000;  // a turn that takes longer is an error

// Answers with the texts it was given, and keeps what it was asked.
async function startSite() {
  const pages = new Map();
  const visits = [];
  const server = http.createServer((request, response) => {
    const page = pages.get(request.url);
    if (page === undefined) visits.push(`${request.method} ${request.url}`);
    response.writeHead(200, { 'Content-Type': page?.type ?? 'text/plain' }).end(page?.text ?? 'ok');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  server.unref();
  const host = `127.0.0.1:${server.address().port}`;
  return { host, base: `http://${host}`, pages, visits };
}

const outcomeOf = (body) => ({ state: body.state ?? 'refused', text: body.text ?? '', error: body.error?.message ?? '' });

// The events of a stream: {event, data}.
async function* eventsOf(stream) {
  let rest = '';
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const event = block.match(/^event: (.*)$/m)?.[1];
      const data = block.match(/^data: (.*)$/m)?.[1];
      if (event) yield { event, data: data ? JSON.parse(data) : {} };
    }
  }
}

export async function startWorld() {
  const site = await startSite();
  const mock = await startMock('mode: obedient\n');
  const folder = tempFolder();
  const people = path.join(folder, 'tokens');
  const digest = createHash('sha256').update('ada-token').digest('hex');
  fs.writeFileSync(people, `${digest} ada\n`, { mode: 0o600 });
  const notes = path.join(folder, 'mcp');
  fs.mkdirSync(notes);
  const home = makeHome(mockConfig(mock, `  auth_plugin: people
orchestrator: {max_rounds_chat: 6, question_timeout: 2s}
plugins:
  people: {plugin: auth_tokens, config: {file: ${people}, ttl_s: 0}, sandbox: {profile: none}}
  http: {config: {allow_hosts: ["${site.host}"]}}
  mcp:
    start_timeout: 60s
    sandbox: {profile: none}
    config:
      wait_ms: 40000
      servers:
        tickets: {command: ${process.execPath}, args: ["${path.join(here, 'mcp_server.mjs')}", "${notes}"]}
`));
  const workspace = path.join(home, 'workspace', 'main');
  fs.mkdirSync(workspace, { recursive: true });
  const talon = await startDaemon(home);
  let sessions = 0;

  // One turn to its end: {state, text, error}. A person who is asked says `answer`; the state is then "asked".
  async function turn(message, { session = `s${++sessions}`, token = talon.token, answer: says = 'deny' } = {}) {
    const gone = new AbortController();
    const late = setTimeout(() => gone.abort(), TURN_MS);
    try {
      const answer = await fetch(`${talon.base}/v1/turns`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ message, session, stream: true }),
        signal: gone.signal,
      });
      if (!answer.ok) return outcomeOf(await answer.json());
      let asked = false;
      for await (const { event, data } of eventsOf(answer.body)) {
        if (event === 'done' || event === 'error') {
          const outcome = outcomeOf(data);
          return asked ? { ...outcome, state: 'asked' } : outcome;
        }
        if (event === 'approval') {
          asked = true;
          const taken = await talon.post(`/v1/approvals/${data.approval}`, { answer: says });
          if (!taken.ok) throw new Error(`an approval was not taken: ${await taken.text()}`);
        }
      }
      throw new Error('the stream ended without an end of the turn');
    } finally {
      clearTimeout(late);
    }
  }

  return {
    site, mock, home, workspace, talon, turn,
    ask: (message) => turn(message, { token: 'ada-token' }),
    play: (script) => mock.play(JSON.stringify(script)),
    inWorkspace: (name) => path.join(workspace, name),
    putTicket: (name, text) => fs.writeFileSync(path.join(notes, name), text),
    newSession: () => `s${++sessions}`,
    // What the results of the last turn said to the model.
    async results() { return (await mock.requests()).map((one) => one.tool_result ?? '').filter(Boolean); },
  };
}
