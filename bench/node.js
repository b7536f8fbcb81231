// The benchmark's application on Node.
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');

const text = { 'content-type': 'text/plain' };
const octets = { 'content-type': 'application/octet-stream' };
const part = Buffer.alloc(16 * 1024, 'x');
const tick = Buffer.alloc(16, 'x');
const body64k = Buffer.alloc(64 * 1024, 'x');
const body1m = Buffer.alloc(1024 * 1024, 'x');

function answer(res, headers, body) {
  res.writeHead(200, { ...headers, 'content-length': Buffer.byteLength(body) });
  res.end(body);
}

function stream(res, part, left) {
  while (left > 0) {
    left -= 1;
    if (!res.write(part)) {
      res.once('drain', () => stream(res, part, left));
      return;
    }
  }
  res.end();
}

function handler(req, res) {
  switch (req.url) {
    case '/hello': return answer(res, text, 'Hello, World!\n');
    case '/64k': return answer(res, octets, body64k);
    case '/1m': return answer(res, octets, body1m);
    case '/stream':
      res.writeHead(200, octets);
      return stream(res, part, 64);
    case '/ticks':
    case '/ticks-flushed':
      res.writeHead(200, octets);
      return stream(res, tick, 1000);
    case '/echo': {
      const parts = [];
      req.on('data', (data) => parts.push(data));
      req.on('end', () => answer(res, octets, Buffer.concat(parts)));
      return undefined;
    }
    default:
      res.writeHead(404);
      return res.end();
  }
}

const tls = {
  cert: fs.readFileSync(process.env.BENCH_CERTIFICATE),
  key: fs.readFileSync(process.env.BENCH_KEY),
};
for (const [server, port] of [
  [http.createServer(handler), process.env.BENCH_PORT],
  [https.createServer(tls, handler), process.env.BENCH_TLS_PORT],
]) {
  server.keepAliveTimeout = 600000;
  server.listen(Number(port), '127.0.0.1', 4096);
}
