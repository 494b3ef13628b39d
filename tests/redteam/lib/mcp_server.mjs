// SPDX-License-Identifier: Apache-2.0
// An MCP server whose one tool reads tickets that anybody may have written.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

const folder = process.argv[2];
const TOOL = {
  name: 'read_ticket',
  description: 'Reads a ticket.',
  inputSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  annotations: { readOnlyHint: true },
};

function answer(method, params) {
  switch (method) {
    case 'initialize':
      return { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'tickets', version: '1' } };
    case 'tools/list':
      return { tools: [TOOL] };
    case 'tools/call': {
      const text = fs.readFileSync(path.join(folder, path.basename(params.arguments.name)), 'utf8');
      return { content: [{ type: 'text', text }], structuredContent: { ticket: text } };
    }
    default:
      return {};
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: answer(method, params) })}\n`);
}
