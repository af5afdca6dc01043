// proxy.mjs: the one way out of an install. An HTTP proxy on a socket that the agent opened (fd 6); the programs in the
// sandbox reach it through `rota-box forward` and have no other network.
//
// It knows an exact list of HOST:PORT, told on stdin with how far each may reach. Each name is resolved once, here, so
// no answer of a name server that comes later leads anywhere else. Addresses of private networks, of this machine and
// of a cloud's metadata are refused, unless the operator named them. TLS passes through unread: certificates are
// checked by whoever asked. What is refused is said on fd 3, a JSON object a line.
import dns from 'node:dns/promises';
import { existsSync, readFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { BlockList, connect, isIP, isIPv4 } from 'node:net';
import tls from 'node:tls';

const LISTEN_FD = 6;
const LINE_FD = 3;
const CAFILE = '/net/cafile';
const RESOLVE_MS = 10000;
const DIAL_MS = 10000;
const ADDRESSES_MAX = 4;
const TOLD_MAX = 32;

// {hosts: [{name, port, plain, reach}], upstream, noproxy, limits: {connections, down_bytes, up_bytes, idle_ms}}
// `plain`: http:// in absolute form and no CONNECT. `reach`: "public", "private" (also private networks) or "any".
const config = JSON.parse(readFileSync(0, 'utf8'));
const { limits } = config;

const told = new Set();

function say(line) {
  const key = `${line.type} ${line.to ?? ''} ${line.why ?? ''}`;
  if (told.has(key) || told.size >= TOLD_MAX) return;
  told.add(key);
  writeSync(LINE_FD, `${JSON.stringify(line)}\n`);
}

// ---- which addresses ----

function blocks(...ranges) {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split('/');
    list.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return list;
}

// This machine, its link, a cloud's metadata, groups: only for whoever named the very address.
const near = blocks('0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '100.100.100.200/32', '192.0.0.192/32',
  '168.63.129.16/32', '224.0.0.0/3', '::/127', '::ffff:0:0/96', 'fe80::/10', 'ff00::/8', 'fd00:ec2::/32', 'fd20:ce::/32');
// Networks that are somebody's own, and the ways of IPv6 to say an IPv4 address.
const own = blocks('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '192.0.0.0/24', '192.0.2.0/24',
  '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', 'fc00::/7', 'fec0::/10', '2001:db8::/32', '64:ff9b::/32',
  '2002::/16', '2001::/32', '::/96');

function mayReach(address, reach) {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  const plain = mapped ? mapped[1] : address;
  const family = isIPv4(plain) ? 'ipv4' : 'ipv6';
  if (reach === 'any') return true;
  if (near.check(plain, family)) return false;
  return reach === 'private' || !own.check(plain, family);
}

// ---- the list ----

const timeout = (ms, what) => new Promise((_, no) => { setTimeout(() => no(new Error(what)), ms).unref(); });

function isDirect(host) {
  if (!config.upstream) return true;
  const rules = (config.noproxy ?? '').split(',').map((r) => r.trim().toLowerCase().replace(/^\*?\.?/, '')).filter(Boolean);
  return rules.some((rule) => host.name === rule || host.name.endsWith(`.${rule}`));
}

async function pin(host) {
  if (!isDirect(host)) {
    const isNear = isIP(host.name) && !mayReach(host.name, host.reach);
    return isNear ? { why: `${host.name} is a private address` } : { upstream: true };
  }
  try {
    const found = isIP(host.name) ? [{ address: host.name }]
      : await Promise.race([dns.lookup(host.name, { all: true, verbatim: true }), timeout(RESOLVE_MS, 'ETIMEOUT')]);
    const addresses = found.map((a) => a.address).filter((a) => mayReach(a, host.reach)).slice(0, ADDRESSES_MAX);
    return addresses.length ? { addresses } : { why: 'its address is private' };
  } catch (error) {
    return { away: error.code ?? error.message };
  }
}

const hosts = new Map(config.hosts.map((host) => [`${host.name}:${host.port}`, { ...host, pinned: pin(host) }]));

// ---- the way out ----

class Refused extends Error {}

function dialOne(address, port) {
  return new Promise((yes, no) => {
    const socket = connect({ host: address, port, allowHalfOpen: true });
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })), DIAL_MS);
    socket.once('connect', () => { clearTimeout(timer); socket.removeListener('error', no); yes(socket); });
    socket.once('error', (error) => { clearTimeout(timer); no(error); });
  });
}

function upstreamRequest(options) {
  const url = new URL(config.upstream);
  const isTls = url.protocol === 'https:';
  const headers = { ...options.headers };
  if (url.username || url.password) {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['proxy-authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  const ca = existsSync(CAFILE) ? [...tls.rootCertificates, readFileSync(CAFILE)] : undefined;
  return (isTls ? https : http).request({
    ...options, headers, ca, agent: false, host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (isTls ? 443 : 80),
  });
}

function dialUpstream(to) {
  return new Promise((yes, no) => {
    const request = upstreamRequest({ method: 'CONNECT', path: to, headers: { host: to } });
    request.setTimeout(DIAL_MS, () => request.destroy(new Error('the upstream proxy is silent')));
    request.once('connect', (reply, socket, head) => {
      socket.setTimeout(0);
      if (reply.statusCode !== 200) {
        socket.destroy();
        no(new Error(`the upstream proxy said ${reply.statusCode}`));
        return;
      }
      if (head.length) socket.unshift(head);
      yes(socket);
    });
    request.once('response', (reply) => { reply.destroy(); no(new Error(`the upstream proxy said ${reply.statusCode}`)); });
    request.once('error', no);
    request.end();
  });
}

async function allowed(to, isPlain) {
  const host = hosts.get(to);
  if (!host) throw new Refused('not on the list');
  if (host.plain !== isPlain) throw new Refused(isPlain ? 'not in the clear' : 'in the clear only');
  const pinned = await host.pinned;
  if (pinned.why) throw new Refused(pinned.why);
  if (pinned.away) throw new Error(pinned.away);
  return { ...host, ...pinned };
}

async function dial(to) {
  const host = await allowed(to, false);
  if (host.upstream) return dialUpstream(to);
  let last;
  for (const address of host.addresses) {
    try {
      return await dialOne(address, host.port);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

// ---- both directions, counted ----

const passed = { down: 0, up: 0 };

function isOver() {
  return passed.down > limits.down_bytes || passed.up > limits.up_bytes;
}

function count(from, way, stop) {
  from.on('data', (bytes) => {
    passed[way] += bytes.length;
    if (isOver()) {
      say({ type: 'refused', to: '', why: way === 'up' ? 'too many bytes were sent' : 'too many bytes were fetched' });
      stop();
    }
  });
}

function join(inner, outer) {
  const stop = () => { inner.destroy(); outer.destroy(); };
  for (const socket of [inner, outer]) {
    socket.setTimeout(limits.idle_ms, stop);
    socket.on('error', stop);
    socket.on('close', stop);
  }
  count(inner, 'up', stop);
  count(outer, 'down', stop);
  inner.pipe(outer);
  outer.pipe(inner);
}

const statuses = { 403: 'Forbidden', 502: 'Bad Gateway' };

// 403: not allowed; 502: allowed, and not there.
function failure(error, to) {
  const isRefused = error instanceof Refused;
  const why = isRefused ? error.message : error.code ?? error.message;
  say({ type: isRefused ? 'refused' : 'away', to, why });
  return { status: isRefused ? 403 : 502, why };
}

function target(text) {
  return /^[a-z0-9.-]{1,253}:[0-9]{1,5}$/i.test(text) ? text.toLowerCase() : null;
}

async function onConnect(request, inner, head) {
  const to = target(request.url);
  inner.on('error', () => inner.destroy());
  inner.setTimeout(limits.idle_ms, () => inner.destroy());
  try {
    if (!to || isOver()) throw new Refused(to ? 'too many bytes passed' : 'not HOST:PORT');
    const outer = await dial(to);
    if (inner.destroyed) {
      outer.destroy();
      return;
    }
    inner.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length) inner.unshift(head);
    join(inner, outer);
  } catch (error) {
    const { status, why } = failure(error, to ?? request.url.slice(0, 200));
    inner.end(`HTTP/1.1 ${status} ${statuses[status]}\r\ncontent-length: 0\r\nx-rota-why: ${why.replace(/[^ -~]/g, ' ')}\r\n\r\n`);
  }
}

// http:// in absolute form, for a registry that the operator configured so. Reading only.
const HOP = new Set(['connection', 'proxy-connection', 'proxy-authorization', 'keep-alive', 'te', 'trailer', 'upgrade']);

function headersOn(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP.has(name)));
}

async function onRequest(request, reply) {
  let to = request.url.slice(0, 200);
  try {
    const url = URL.canParse(request.url) ? new URL(request.url) : null;
    if (!url || url.protocol !== 'http:' || url.username || url.password) throw new Refused('no address of a proxy');
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refused('only reading is allowed');
    to = `${url.hostname}:${url.port || 80}`;
    const host = await allowed(to, true);
    if (isOver()) throw new Refused('too many bytes passed');
    const options = { method: request.method, headers: { ...headersOn(request.headers), host: url.host } };
    const outer = host.upstream ? upstreamRequest({ ...options, path: url.href })
      : http.request({ ...options, agent: false, host: host.addresses[0], port: host.port, path: url.pathname + url.search });
    outer.setTimeout(limits.idle_ms, () => outer.destroy(new Error('ETIMEDOUT')));
    outer.on('response', (answer) => {
      count(answer, 'down', () => { answer.destroy(); reply.destroy(); });
      reply.writeHead(answer.statusCode, headersOn(answer.headers));
      answer.pipe(reply);
    });
    outer.on('error', (error) => {
      if (reply.headersSent) reply.destroy();
      else reply.writeHead(failure(error, to).status).end();
    });
    outer.end();
  } catch (error) {
    reply.writeHead(failure(error, to).status).end();
  }
}

const server = http.createServer({ keepAliveTimeout: limits.idle_ms, headersTimeout: 30000 }, onRequest);
server.on('connect', onConnect);
server.on('clientError', (error, socket) => socket.destroy());
server.maxConnections = limits.connections;
server.on('drop', () => say({ type: 'refused', to: '', why: 'too many connections' }));
server.listen({ fd: LISTEN_FD });
