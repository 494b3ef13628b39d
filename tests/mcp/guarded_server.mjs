// SPDX-License-Identifier: Apache-2.0
// An MCP server that wants a token, and the authorization server that gives it out, in one. Everybody
// who opens the page consents at once.
import { createHash } from 'node:crypto';
import http from 'node:http';

async function body(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}

function answer(message) {
  if (message.method === 'initialize') {
    return { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'guarded', version: '1' } };
  }
  if (message.method === 'tools/list') return { tools: [{ name: 'look', inputSchema: { type: 'object' } }] };
  if (message.method === 'tools/call') return { content: [{ type: 'text', text: 'seen' }] };
  return null;
}

// Listens; `revoke` makes the token of now worthless.
export async function startGuarded() {
  const state = { token: null, challenge: null, count: 0 };
  const server = http.createServer(async (request, response) => {
    const site = `http://127.0.0.1:${server.address().port}`;
    const url = new URL(request.url, site);
    const json = (value, status = 200, headers = {}) => response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value));
    const text = await body(request);
    switch (url.pathname) {
      case '/.well-known/oauth-protected-resource/mcp':
        return json({ resource: `${site}/mcp`, authorization_servers: [site] });
      case '/.well-known/oauth-authorization-server':
        return json({ issuer: site, authorization_endpoint: `${site}/authorize`, token_endpoint: `${site}/token`, registration_endpoint: `${site}/register`, code_challenge_methods_supported: ['S256'] });
      case '/register':
        return json({ client_id: 'somebody' }, 201);
      case '/authorize':
        state.challenge = url.searchParams.get('code_challenge');
        return response.writeHead(302, { Location: `${url.searchParams.get('redirect_uri')}?code=c0de&state=${url.searchParams.get('state')}` }).end();
      case '/token': {
        const form = new URLSearchParams(text);
        const verified = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url') === state.challenge;
        const fine = form.get('refresh_token') === 'again' || (form.get('code') === 'c0de' && verified);
        if (!fine || form.get('resource') !== `${site}/mcp`) return json({ error: 'invalid_grant' }, 400);
        state.token = `token-${++state.count}`;
        return json({ access_token: state.token, token_type: 'Bearer', refresh_token: 'again' });
      }
      case '/mcp': {
        if (state.token === null || request.headers.authorization !== `Bearer ${state.token}`) {
          return json({}, 401, { 'WWW-Authenticate': `Bearer resource_metadata="${site}/.well-known/oauth-protected-resource/mcp"` });
        }
        if (request.method !== 'POST') return response.writeHead(405).end();
        const message = JSON.parse(text);
        if (message.id === undefined) return response.writeHead(202).end();
        const result = answer(message);
        return json({ jsonrpc: '2.0', id: message.id, ...(result ? { result } : { error: { code: -32601, message: 'no such method' } }) });
      }
      default:
        return response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/mcp`, revoke: () => (state.token = 'revoked'), stop: () => server.close(), tokens: () => state.count };
}
