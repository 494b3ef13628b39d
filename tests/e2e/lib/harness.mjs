// SPDX-License-Identifier: Apache-2.0
// Starts the real programs for a test: the daemon with a home of its own, the mock provider, and
// single commands. Readiness is told by the programs themselves (a line they print); nothing sleeps
// or polls. What a test started is ended with it, also when it fails.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';

const TALON = need('TALON_BIN');
const MOCKLLM = need('MOCKLLM_BIN');
const START_MS = 30_000;  // a start that takes longer is an error
const EVENT_MS = 30_000;

function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} must name the program to test`);
  return value;
}

// Rejects with `what` when `promise` does not settle in time.
export function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Run when the test file ends, the latest first. (after() inside a hook or test would belong to it.)
const cleanups = [];
after(async () => {
  for (const clean of cleanups.reverse()) await clean();
});

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

// A child with its output gathered, and waits for lines of it.
class Program {
  constructor(command, args, options) {
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    this.stdout = '';
    this.stderr = '';
    this.watchers = [];
    running.add(this.child);
    for (const name of ['stdout', 'stderr']) {
      this.child[name].setEncoding('utf8').on('data', (text) => {
        this[name] += text;
        this.check();
      });
    }
    this.child.stdin.on('error', () => {});
    this.exit = once(this.child, 'close').then(([code, signal]) => {
      running.delete(this.child);
      this.ended = { code, signal };
      this.check();
      return this.ended;
    });
  }
  get pid() { return this.child.pid; }

  // The match of `pattern` in what the program wrote to `stream` from position `from` on.
  output(stream, pattern, from = 0) {
    const found = new Promise((resolve, reject) => {
      this.watchers.push(() => {
        const match = this[stream].slice(from).match(pattern);
        if (match) resolve(match);
        else if (this.ended) reject(new Error(`ended (${JSON.stringify(this.ended)}) without ${pattern}:\n${this.stdout}${this.stderr}`));
        return match || this.ended;
      });
      this.check();
    });
    return within(EVENT_MS, found, `waiting for ${pattern} in ${stream} of pid ${this.pid}`);
  }
  check() { this.watchers = this.watchers.filter((watcher) => !watcher()); }

  kill(signal = 'SIGTERM') { this.child.kill(signal); }
  async stop(signal = 'SIGTERM') {
    if (!this.ended) this.kill(signal);
    return within(EVENT_MS, this.exit, `end of pid ${this.pid}`);
  }
}

// A folder that is removed with the test file's end.
export function tempFolder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'talon-e2e-'));
  cleanups.push(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function environment(home, extra) {
  return { PATH: process.env.PATH, HOME: home, TALON_HOME: home, LANG: 'C.UTF-8', ...extra };
}

// The mock provider with `script` (YAML text).
export async function startMock(script) {
  const file = path.join(tempFolder(), 'script.yaml');
  fs.writeFileSync(file, script);
  const program = new Program(MOCKLLM, ['--port', '0', '--script', file]);
  cleanups.push(() => program.stop());
  const [, port] = await within(START_MS, program.output('stdout', /^(\d+)\n/), 'start of mockllm');
  const base = `http://127.0.0.1:${port}`;
  return {
    base,
    program,
    async requests() { return (await (await fetch(`${base}/__requests`)).json()).requests; },
    async forget() { await fetch(`${base}/__requests`, { method: 'DELETE' }); },
    async play(next) {
      const answer = await fetch(`${base}/__script`, { method: 'POST', body: next });
      if (!answer.ok) throw new Error(await answer.text());
    },
  };
}

// A talon.yaml whose providers are all the mock, one a wire.
export function mockConfig(mock, more = '') {
  return `models:
  providers:
    mock:
      api: openai-completions
      base_url: ${mock.base}/v1
      api_key: mock-key
      base_delay: 1ms
      max_delay: 10ms
      models: [{id: m1}]
    claude:
      api: anthropic-messages
      base_url: ${mock.base}
      api_key: claude-key
      base_delay: 1ms
      max_delay: 10ms
      models: [{id: c1}]
    gemini:
      api: google-generative
      base_url: ${mock.base}/v1beta
      api_key: gemini-key
      base_delay: 1ms
      max_delay: 10ms
      models: [{id: g1}]
routing:
  primary: mock/m1
gateway:
  http: {port: 0}
${more}`;
}

// A home folder with `config` as its talon.yaml.
export function makeHome(config = 'gateway:\n  http: {port: 0}\n') {
  const home = tempFolder();
  fs.writeFileSync(path.join(home, 'talon.yaml'), config);
  return home;
}

// `talon serve` before it is known whether it starts. `mount`: options of a tmpfs that lies over the
// home folder, seen by the daemon alone (canMount says whether this machine allows it). `softLimit`: of open
// descriptors, `hardLimit`: both; `uid`, `gid`: who it runs as.
export function spawnDaemon(home, env = {}, mount = '', { softLimit, hardLimit, ...identity } = {}) {
  const limits = hardLimit ? `-n ${hardLimit}` : softLimit ? `-Sn ${softLimit}` : '';
  const limited = ['-c', `ulimit ${limits} && exec "$0" serve`, TALON];
  const mounted = ['-rm', 'sh', '-c', `mount -t tmpfs -o ${mount} tmpfs "$TALON_HOME" && exec "$0" serve`, TALON];
  const [command, args] = mount ? ['unshare', mounted] : limits ? ['sh', limited] : [TALON, ['serve']];
  const program = new Program(command, args, { env: environment(home, env), ...identity });
  cleanups.push(() => program.stop('SIGKILL'));
  return program;
}

export function canMount() {
  const folder = tempFolder();
  return spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', folder]).status === 0;
}

// `talon serve`, listening. Its token is in the home folder, or configured as TOKEN.
export const TOKEN = 'configured-token-0123456789';
export async function startDaemon(home, env = {}, mount = '', identity = {}) {
  const program = spawnDaemon(home, env, mount, identity);
  const [, port] = await within(START_MS, program.output('stderr', /"listening","port":"?(\d+)/), 'start of talon');
  const base = `http://127.0.0.1:${port}`;
  const file = path.join(home, 'token');
  const token = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim() : TOKEN;
  const headers = { Authorization: `Bearer ${token}` };
  return {
    base, port: Number(port), token, home, program,
    stop: (signal) => program.stop(signal),
    log: (pattern, from) => program.output('stderr', pattern, from),
    async get(url) {
      const answer = await fetch(base + url, { headers });
      return { status: answer.status, body: await answer.json() };
    },
    async post(url, body, extra = {}) {
      return fetch(base + url, { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json', ...extra }, body: JSON.stringify(body) });
    },
  };
}

// Mock and daemon together, ended with the test file.
export async function startBoth(script, more = '') {
  const mock = await startMock(script);
  const home = makeHome(mockConfig(mock, more));
  fs.mkdirSync(path.join(home, 'workspace', 'main'), { recursive: true });
  fs.writeFileSync(path.join(home, 'workspace', 'main', 'notes.txt'), 'buy milk\n');
  return { mock, home, talon: await startDaemon(home) };
}

async function finish(program, input) {
  program.child.stdin.end(input);
  const { code, signal } = await within(EVENT_MS, program.exit, `end of pid ${program.pid}`);
  return { code, signal, stdout: program.stdout, stderr: program.stderr };
}

// A command of talon, to its end.
export function run(home, args, { input = '', env = {} } = {}) {
  return finish(new Program(TALON, args, { env: environment(home, env) }), input);
}

// The same, to be signalled while it runs; or another `command` instead of talon.
export function begin(home, args, env = {}, { command = TALON, ...options } = {}) {
  const program = new Program(command, args, { env: environment(home, env), ...options });
  cleanups.push(() => program.stop('SIGKILL'));
  return program;
}

// curl with `args`; the answer's status, headers and body apart.
export async function curl(args, input = '') {
  const head = path.join(tempFolder(), 'head');
  const marks = ['-sS', '-D', head, '-w', '\n%{http_code}', '--max-time', '30'];
  const done = await finish(new Program('curl', [...marks, ...args]), input);
  const cut = done.stdout.lastIndexOf('\n');
  return { code: done.code, status: Number(done.stdout.slice(cut + 1)), body: done.stdout.slice(0, cut), headers: fs.readFileSync(head, 'utf8') };
}
