// SPDX-License-Identifier: Apache-2.0
// An HTTPS server of Node's that speaks HTTP/2 and HTTP/1.1: the peer of the TLS tests. Prints its
// port and answers every request with the version it came in.
//   node h2_server.mjs CERTIFICATE.pem KEY.pem
import http2 from 'node:http2';
import {readFileSync} from 'node:fs';

const [cert, key] = process.argv.slice(2).map((path) => readFileSync(path));
const server = http2.createSecureServer({cert, key, allowHTTP1: true}, (request, response) => {
  response.end(`${request.method} ${request.url} by HTTP/${request.httpVersion}`);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
