// SPDX-License-Identifier: Apache-2.0
// The command line: ask and chat, with a daemon and without; configuration, doctor, listings.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { begin, makeHome, mockConfig, run, startBoth, tempFolder } from './lib/harness.mjs';

const SCRIPT = `
rules:
  - match: {user: "list files", after_tool: false}
    answer: {calls: [{tool: files__list, args: {path: "."}}]}
  - match: {user: "list files", after_tool: true}
    answer: "done: notes.txt"
  - match: {user: "colour"}
    answer: "a\\e[31mred\\e[0m word"
  - match: {user: "for ever"}
    answer: "one two three four"
    delivery: {hang_after: 2, text_bytes: 4}
  - match: {user: "fail"}
    fault: {status: 401}
  - match: {user: "/./"}
    answer: {text: "you said {{user}} ({{messages}})", usage: {input: 11, output: 3}}
`;

let mock, talon, home;
before(async () => { ({ mock, talon, home } = await startBoth(SCRIPT)); });

test('ask prints the answer', async () => {
  const done = await run(home, ['ask', 'ping']);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /^you said ping/);
  assert.equal(done.stderr, '');
});

test('ask reads standard input and calls tools', async () => {
  const done = await run(home, ['ask', '-'], { input: 'list files' });
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stdout.trim(), 'done: notes.txt');
});

test('ask --json is one JSON document', async () => {
  const { ok, data } = JSON.parse((await run(home, ['ask', '--json', 'list files'])).stdout);
  assert.equal(ok, true);
  assert.equal(data.text, 'done: notes.txt');
  assert.equal(data.rounds, 2);
  assert.equal(data.model, 'mock/m1');
});

test('ask uses the model it is told and refuses an unknown one', async () => {
  assert.equal(JSON.parse((await run(home, ['ask', '--json', '-m', 'claude/c1', 'x'])).stdout).data.model, 'claude/c1');
  const unknown = await run(home, ['ask', '-m', 'nothing/x', 'x']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /^talon: .*nothing\/x/);
});

test('a failed turn has its own exit code and reason', async () => {
  const done = await run(home, ['ask', 'fail']);
  assert.equal(done.code, 4);
  assert.match(done.stderr, /talon: .*mock\/m1.*credential/);
  const json = await run(home, ['ask', '--json', 'fail']);
  assert.equal(json.code, 4);
  const { ok, error } = JSON.parse(json.stdout);
  assert.equal(ok, false);
  assert.equal(error.type, 'upstream_authentication_error');
  assert.match(error.turn, /./);
});

test('a chat from a pipe tells by its exit code whether all went well', async () => {
  assert.equal((await run(home, ['chat', '-s', 'piped'], { input: 'hello\n' })).code, 0);
  assert.equal((await run(home, ['chat', '-s', 'piped'], { input: 'fail\nhello\n' })).code, 4);
  assert.equal((await run(home, ['chat', '-s', 'piped'], { input: '/nonsense\n' })).code, 4);
});

test('sessions show is for people', async () => {
  const shown = await run(home, ['sessions', 'show', 'piped']);
  assert.match(shown.stdout, /user +hello/);
  assert.ok(!shown.stdout.includes('"type"'), shown.stdout);
});

test('a configuration that cannot be read is wrong usage, not a missing daemon', async () => {
  const env = { TALON_CONFIG: '/nonexistent/talon.yaml' };
  for (const command of [['ask', 'x'], ['chat'], ['sessions'], ['serve'], ['config', 'check']]) {
    const done = await run(home, command, { env });
    assert.equal(done.code, 2, command.join(' '));
    assert.match(done.stderr, /does not exist; correct TALON_CONFIG/);
  }
});

test('an empty question is wrong usage', async () => {
  assert.equal((await run(home, ['ask'])).code, 2);
  assert.equal((await run(home, ['nonsense'])).code, 2);
  assert.equal((await run(home, [])).code, 2);
});

test("a model's control characters do not reach the terminal", async () => {
  const done = await run(home, ['ask', 'colour']);
  assert.ok(!done.stdout.includes('\x1b'), JSON.stringify(done.stdout));
  assert.match(done.stdout, /red/);
});

test('Ctrl-C ends ask and cancels the turn', async () => {
  const asking = begin(home, ['ask', '-s', 'interrupted', 'for ever']);
  await asking.output('stdout', /one/);
  asking.kill('SIGINT');
  assert.equal((await asking.exit).code, 130);
  const session = (await talon.get('/v1/sessions')).body.sessions.find((one) => one.key === 'interrupted');
  const { messages } = (await talon.get(`/v1/sessions/${session.id}/messages`)).body;
  const { body } = await talon.get(`/v1/turns/${messages[0].turn}?wait=true`);
  assert.equal(body.state, 'cancelled');
});

test('chat from a pipe keeps its session, shows tools and has its commands', async () => {
  const lines = ['hello', 'list files', '/tools', '/model', '/model claude/c1', 'again', '/model wrong', '/cost', '/help', '/new', 'fresh', '/nonsense', '/quit', 'never'];
  const done = await run(home, ['chat', '-s', 'piped'], { input: lines.join('\n') + '\n' });
  assert.equal(done.code, 4, 'two commands failed');
  const out = done.stdout;
  assert.match(out, /session piped/);
  assert.match(out, /you said hello/);
  assert.match(out, /> files__list .*"path"/);
  assert.match(out, /< files__list ok in \d+ ms/);
  assert.match(out, /done: notes\.txt/);
  assert.match(out, /files__read +read /);
  assert.match(out, /using claude\/c1/);
  assert.match(out, /! unknown model 'wrong'/);
  assert.match(out, /\d+ input tokens, \d+ output tokens/);
  assert.match(out, /new session chat-/);
  assert.match(out, /! unknown command \/nonsense/);
  assert.ok(!out.includes('you said never'), 'nothing after /quit');
  const session = JSON.parse((await run(home, ['sessions', 'show', '--json', 'piped'])).stdout);
  assert.equal(session.ok, true);
  const models = (await mock.requests()).filter((one) => one.user === 'again').map((one) => one.wire);
  assert.deepEqual(models, ['anthropic']);
});

test('sessions are listed and deleted', async () => {
  await run(home, ['ask', '-s', 'short-lived', 'x']);
  assert.match((await run(home, ['sessions'])).stdout, /short-lived/);
  assert.equal((await run(home, ['sessions', 'delete', 'short-lived'])).code, 0);
  assert.ok(!(await run(home, ['sessions', 'list'])).stdout.includes('short-lived'));
  assert.equal((await run(home, ['sessions', 'show', 'short-lived'])).code, 1);
});

test('a session with a turn under way is deleted by force only', async () => {
  const asking = begin(home, ['ask', '-s', 'busy', 'for ever']);
  await asking.output('stdout', /one/);
  const refused = await run(home, ['sessions', 'delete', 'busy']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /session 'busy' has turn '\S+' under way; .*force/);
  assert.equal((await run(home, ['sessions', 'delete', '--force', 'busy'])).code, 0);
  assert.equal((await asking.exit).code, 4);
  assert.match(asking.stderr, /the session was deleted/);
  assert.ok(!(await run(home, ['sessions'])).stdout.includes('busy'));
});

test('listings, as text and as JSON', async () => {
  const plugins = JSON.parse((await run(home, ['plugins', '--json'])).stdout);
  assert.equal(plugins.ok, true);
  assert.deepEqual(plugins.data.plugins.map((one) => one.name).sort(), ['files', 'http', 'mcp', 'shell']);
  assert.match((await run(home, ['plugins'])).stdout, /^files +\w+/m);
  assert.match((await run(home, ['tools'])).stdout, /^files__list +read /m);
  assert.match((await run(home, ['models'])).stdout, /^mock\/m1/m);
  assert.match((await run(home, ['status'])).stdout, /model mock\/m1/);
  const context = JSON.parse((await run(home, ['context', '--json'])).stdout).data;
  assert.ok(context.overhead_tokens > 0 && context.overhead_tokens <= 2000, `overhead ${context.overhead_tokens}`);
  assert.match((await run(home, ['version'])).stdout, /^talon \d+\.\d+\.\d+/);
});

test('status starts no daemon to tell of it', async () => {
  const done = await run(makeHome(), ['status']);
  assert.equal(done.code, 3);
  assert.match(done.stderr, /^talon: not running: no daemon serves '.*'; `talon serve` starts one/);
  assert.equal(JSON.parse((await run(makeHome(), ['status', '--json'])).stdout).ok, false);
});

test('doctor --json tells what it examined', async () => {
  const done = await run(home, ['doctor', '--json']);
  const report = JSON.parse(done.stdout);
  assert.equal(report.ok, true, done.stdout);
  assert.equal(done.code, 0);
  const levels = Object.fromEntries(report.data.map((one) => [one.check, one.level]));
  for (const check of ['configuration', 'home', 'daemon', 'model', 'plugin files']) assert.equal(levels[check], 'ok', check);
});

test('doctor says when no configuration file is there', async () => {
  const bare = tempFolder();
  assert.match((await run(bare, ['doctor'])).stdout, /^ok +configuration +the defaults: there is no '.*talon\.yaml'$/m);
  const made = makeHome();
  assert.match((await run(made, ['doctor'], { env: { TALON_LOG_LEVEL: 'warn' } })).stdout, /^ok +configuration +\/.*talon\.yaml$/m);
});

test('config check names file, line and the nearest key', async () => {
  const broken = makeHome('gateway:\n  http:\n    prot: 1\nlog:\n  levle: info\nmodels:\n  providers:\n    p: {api: telepathy}\norchestrator:\n  turn_timeout: soon\n  max_repairs: -1\nworkspace: ${NOT_SET_ANYWHERE}\n');
  const file = path.join(broken, 'talon.yaml');
  const done = await run(broken, ['config', 'check']);
  assert.equal(done.code, 2);
  for (const expected of [
    `${file}:3: gateway.http.prot: unknown key; did you mean 'port'?`,
    `${file}:5: log.levle: unknown key; did you mean 'level'?`,
    `${file}:8: models.providers.p.api: `,
    `${file}:10: orchestrator.turn_timeout: 'soon' is not a duration`,
    `${file}:11: orchestrator.max_repairs: `,
    `${file}:12: workspace: environment variable 'NOT_SET_ANYWHERE' is not set`,
  ]) assert.ok(done.stderr.includes(expected), `${expected}\nin\n${done.stderr}`);
  assert.equal((await run(broken, ['serve'])).code, 2, 'and nothing starts with it');
  assert.match((await run(makeHome('a: [1\n'), ['config', 'check'])).stderr, /talon\.yaml:\d+: not valid YAML/);
});

test('config check knows the models', async () => {
  const check = (more) => run(makeHome(mockConfig(mock, more)), ['config', 'check']);
  const fallback = await run(makeHome(mockConfig(mock).replace('primary: mock/m1', 'primary: mock/m1\n  fallbacks: [clade/c1]')), ['config', 'check']);
  assert.equal(fallback.code, 2);
  assert.match(fallback.stderr, /routing\.fallbacks: unknown model 'clade\/c1'; did you mean 'claude\/c1'\?/);
  const primary = await run(makeHome(mockConfig(mock).replace('primary: mock/m1', 'primary: nobody')), ['config', 'check']);
  assert.equal(primary.code, 2);
  assert.match(primary.stderr, /routing\.primary: unknown model 'nobody'/);
  // Beside every other mistake.
  const all = await run(makeHome(mockConfig(mock, 'plugins:\n  own: {plugin: /no/such/program, prot: 1}\n')
    .replace('primary: mock/m1', 'primary: nobody\n  fallbacks: [clade/c1]')), ['config', 'check']);
  assert.equal(all.code, 2);
  for (const expected of [/plugins\.own\.prot: unknown key/, /routing\.primary: unknown model 'nobody'/,
    /routing\.fallbacks: unknown model 'clade\/c1'/, /plugins\.own\.plugin: '\/no\/such\/program' is not a program/]) {
    assert.match(all.stderr, expected);
  }
  const prompts = await check('orchestrator: {prompts_dir: /nowhere}\n');
  assert.equal(prompts.code, 2);
  assert.match(prompts.stderr, /orchestrator\.prompts_dir: cannot read '\/nowhere'/);
});

test('a variable that nothing reads is an error of config check', async () => {
  const done = await run(home, ['config', 'check'], { env: { TALON_GATEWAY_HTTP_PROT: '1', TALON_LONG: '1' } });
  assert.equal(done.code, 2);
  assert.match(done.stderr, /TALON_GATEWAY_HTTP_PROT: nothing reads it; did you mean TALON_GATEWAY_HTTP_PORT\?/);
  assert.ok(!done.stderr.includes('TALON_LONG'), done.stderr);
});

test('config check passes, show redacts, the environment overrides', async () => {
  const config = makeHome(mockConfig(mock));
  assert.match((await run(config, ['config', 'check'])).stdout, /configuration ok/);
  const shown = (await run(config, ['config', 'show'], { env: { TALON_LOG_LEVEL: 'warn' } })).stdout;
  assert.ok(!shown.includes('mock-key'), shown);
  assert.match(shown, /api_key: .*redacted/);
  assert.match(shown, /level: warn/);
  const wrong = await run(config, ['config', 'check'], { env: { TALON_GATEWAY_HTTP_PORT: 'high' } });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /TALON_GATEWAY_HTTP_PORT: 'high'/);
});

test('the example configuration is valid and changes nothing', async () => {
  const example = (await run(home, ['config', 'example'])).stdout;
  const copy = makeHome(example);
  assert.equal((await run(copy, ['config', 'check'])).code, 0);
  const bare = makeHome('');
  assert.equal((await run(copy, ['config', 'show'])).stdout, (await run(bare, ['config', 'show'])).stdout);
});

test('without a daemon ask starts one inside and leaves nothing running', async () => {
  const alone = makeHome(mockConfig(mock));
  const done = await run(alone, ['ask', 'alone']);
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /you said alone/);
  assert.ok(!fs.existsSync(path.join(alone, 'run', 'daemon.json')));
});

test('with nothing configured the built-in model answers and says what it is', async () => {
  const bare = tempFolder();
  const done = await run(bare, ['chat'], { input: '/quit\n' });
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /No language model is configured/);
  assert.equal((await run(bare, ['ask', 'what is 6 * 7?'])).stdout.includes('42'), true);
});
