// remote.mjs: what an install and a git fetch find outside, for tests: a registry with one private package, and git's
// own server (git http-backend), both behind TLS on 127.0.0.1.
//
//   node remote.mjs KEY CERT GIT_FOLDER       TOKEN in the environment
//
// Prints {"registry": PORT, "main": PORT, "clear": PORT, "upstream": PORT, "git": PORT, "plain": PORT} once it listens, then a JSON line for each request. `plain`
// is a port that nobody is allowed to reach: a request there is an escape.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';

const [key, cert, gitFolder] = process.argv.slice(2);
const { TOKEN } = process.env;
const tls = { key: readFileSync(key), cert: readFileSync(cert) };
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// ---- the registry ----

function tarFile(name, text) {
  const head = Buffer.alloc(512);
  const body = Buffer.from(text);
  head.write(name, 0);
  head.write('0000644\0', 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  head.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
  head.write('00000000000\0', 136);
  head.write('        ', 148);
  head.write('0', 156);
  head.write('ustar\0' + '00', 257);
  const sum = head.reduce((a, b) => a + b, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([head, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

const manifest = { name: '@corp/secret', version: '1.0.0', main: 'index.js' };
const tarball = gzipSync(Buffer.concat([tarFile('package/package.json', JSON.stringify(manifest)),
  tarFile('package/index.js', 'module.exports = "from the private registry";\n'), Buffer.alloc(1024)]));
const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;

// The operator's registry answers everybody, but for the package itself sends on to the one that wants a token.
function registry(request, reply, at) {
  const authorized = request.headers.authorization === `Bearer ${TOKEN}`;
  tell({ at, url: request.url, authorized });
  if (!authorized && at === 'registry') {
    reply.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"a token is needed"}');
  } else if (request.url.endsWith('.tgz')) {
    reply.writeHead(200, { 'content-type': 'application/octet-stream' }).end(tarball);
  } else if (/^(\/npm)?\/@corp(%2f|\/)secret$/i.test(request.url)) {
    const origin = at === 'clear' ? `http://127.0.0.1:${ports.clear}` : `https://127.0.0.1:${ports.registry}`;
    const dist = { tarball: `${origin}/npm/@corp/secret/-/secret-1.0.0.tgz`, integrity };
    reply.writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ name: '@corp/secret', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': { ...manifest, dist } } }));
  } else {
    reply.writeHead(404).end('{}');
  }
}

// ---- git ----

function gitUser(request) {
  const basic = /^Basic (.*)$/.exec(request.headers.authorization ?? '');
  return basic ? Buffer.from(basic[1], 'base64').toString() : '';
}

function git(request, reply) {
  const url = new URL(request.url, 'https://127.0.0.1');
  const user = gitUser(request);
  const isPrivate = url.pathname.startsWith('/private');
  tell({ at: 'git', url: url.pathname, user: user.split(':')[0] });
  if (url.pathname.startsWith('/elsewhere')) {
    reply.writeHead(302, { location: `https://127.0.0.1:${ports.registry}${request.url}` }).end();
    return;
  }
  if (url.pathname.startsWith('/broken')) {
    reply.writeHead(503).end();
    return;
  }
  if (isPrivate && user.split(':')[1] !== TOKEN) {
    reply.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    return;
  }
  const env = { PATH: process.env.PATH, GIT_PROJECT_ROOT: gitFolder, GIT_HTTP_EXPORT_ALL: '1', PATH_INFO: url.pathname,
    REQUEST_METHOD: request.method, QUERY_STRING: url.search.slice(1), CONTENT_TYPE: request.headers['content-type'] ?? '',
    HTTP_GIT_PROTOCOL: request.headers['git-protocol'] ?? '', HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
    GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' };
  const child = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  const onHead = (bytes) => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    child.stdout.off('data', onHead);
    const lines = head.subarray(0, end).toString().split('\r\n').map((l) => l.split(/: (.*)/));
    const status = lines.find(([name]) => name === 'Status');
    reply.writeHead(status ? Number(status[1].slice(0, 3)) : 200,
      Object.fromEntries(lines.filter(([name]) => name !== 'Status').map(([name, value]) => [name, value])));
    reply.write(head.subarray(end + 4));
    child.stdout.pipe(reply);
  };
  child.stdout.on('data', onHead);
}

// ---- an operator's own proxy, with a password ----

const upstream = http.createServer((request, reply) => reply.writeHead(405).end());
upstream.on('connect', (request, socket, head) => {
  const right = `Basic ${Buffer.from('operator:pass:word').toString('base64')}`;
  const authorized = request.headers['proxy-authorization'] === right;
  tell({ at: 'upstream', url: request.url, authorized });
  socket.on('error', () => socket.destroy());
  if (!authorized) {
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    return;
  }
  const [host, port] = request.url.split(':');
  const far = connect(Number(port), host, () => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    far.write(head);
    far.pipe(socket).pipe(far);
  });
  far.on('error', () => socket.destroy());
});

const ports = {};
const listen = (name, server) => new Promise((yes) => {
  server.listen(0, '127.0.0.1', () => { ports[name] = server.address().port; yes(); });
});
await listen('registry', https.createServer(tls, (request, reply) => registry(request, reply, 'registry')));
await listen('main', https.createServer(tls, (request, reply) => registry(request, reply, 'main')));
await listen('clear', http.createServer((request, reply) => registry(request, reply, 'clear')));
await listen('upstream', upstream);
await listen('git', https.createServer(tls, git));
await listen('plain', http.createServer((request, reply) => { tell({ at: 'plain', url: request.url }); reply.end('reached'); }));
tell({ ...ports, integrity });
