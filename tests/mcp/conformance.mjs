// SPDX-License-Identifier: Apache-2.0
// Runs the client scenarios of @modelcontextprotocol/conformance against mcp_conformance_client and
// prints pass or fail for each. expected_failures.txt names those that do not pass, and why; one that
// passes although it is listed fails the run as well.
//   node conformance.mjs <mcp_conformance_client> [scenario]
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { arch, availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, 'node_modules');
const suite = join(modules, '@modelcontextprotocol/conformance/dist/index.js');
const [client, only] = process.argv.slice(2);

// The suite needs Node 22 or newer; the lock file brings one.
function nodeProgram() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  const brought = join(modules, `node-linux-${arch()}/bin/node`);
  return existsSync(brought) ? brought : null;
}

const node = nodeProgram();
if (node === null) {
  console.log(`conformance: SKIPPED: needs Node 22, this is ${process.version}`);
  process.exit(77);
}

function run(args) {
  return new Promise((resolve) => {
    const child = spawn(node, [suite, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (data) => (text += data));
    child.stderr.on('data', (data) => (text += data));
    child.on('close', (code) => resolve({ code, text }));
  });
}

const revisions = ['2025-06-18', '2025-11-25', '2026-07-28'];
async function scenarios() {
  const { text } = await run(['list', '--client']);
  const found = [];
  for (const [, name, versions] of text.matchAll(/^\s*- (\S+) \[(.*)\]$/gm)) {
    if (only !== undefined && name !== only) continue;
    const listed = versions.split(',').filter((version) => revisions.includes(version));
    for (const version of listed) found.push({ name, version });
    if (versions === 'extension') found.push({ name, version: null });
  }
  return found;
}

function expectedFailures() {
  const out = new Map();
  for (const line of readFileSync(join(here, 'expected_failures.txt'), 'utf8').split('\n')) {
    const match = line.match(/^([^#\s]\S*)\s+(.+)$/);
    if (match) out.set(match[1], match[2]);
  }
  return out;
}

const expected = expectedFailures();
const reasonFor = (name) => expected.get(name) ?? expected.get(`${name.split('/')[0]}/*`);
const all = await scenarios();
const results = [];
let next = 0;
async function worker() {
  while (next < all.length) {
    const { name, version } = all[next++];
    const folder = mkdtempSync(join(tmpdir(), 'talon-mcp-'));
    const args = ['client', '--command', client, '--scenario', name, '--timeout', '60000', '-o', folder];
    if (version !== null) args.push('--spec-version', version);
    const { code, text } = await run(args);
    rmSync(folder, { recursive: true, force: true });
    results.push({ name, version: version ?? 'extension', passed: code === 0, text });
  }
}
await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));

let bad = 0;
results.sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version));
for (const { name, version, passed, text } of results) {
  const reason = reasonFor(name);
  const surprise = passed === (reason !== undefined);
  if (surprise) ++bad;
  const verdict = passed ? 'pass' : 'FAIL';
  const note = reason === undefined ? '' : passed ? ' (but listed as a failure)' : ` (expected: ${reason})`;
  console.log(`${verdict} ${name} ${version}${note}`);
  if (surprise && !passed) console.log(text.slice(-3000));
}
const passes = results.filter((result) => result.passed).length;
console.log(`${passes} of ${results.length} scenarios pass, ${bad} other than expected`);
process.exit(bad > 0 || results.length === 0 ? 1 : 0);
