// bundle_map.mjs: a crash on a phone says an address in the bytecode and nothing else. The composed map must
// take it back to the file, line and column that the app's author wrote.
//
// The sample app is built by the real pipeline. hermesc's own listing of the bytecode says at which address
// a known function makes its error, throws it, and is called; npm's `source-map` reads the map. Hermes
// writes such a frame as "address at index.android.bundle:1:ADDRESS". No package of npm has a Hermes virtual
// machine for these versions, so the bytecode's header stands in for running it.
//
//   node bundle_map.mjs BUNDLE_LOCAL APPS_FOLDER
import assert from 'node:assert';
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';

const [bundleLocal, apps] = process.argv.slice(2);
const NAME = 'index.android.bundle';
const MAGIC = 0x1f1903c103bc1fc6n;

const place = fs.mkdtempSync(path.join(os.tmpdir(), 'rota-map-'));
const app = path.join(apps, 'hello');

function run(program, args, options) {
  return execFileSync(program, args, {encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'], ...options});
}

function build() {
  const archive = path.join(place, 'source.tar.gz');
  run('tar', ['-czf', archive, '--exclude=node_modules', '-C', app, '.']);
  const said = run(bundleLocal, [archive, 'android', place]);
  console.log(said.split('\n').find(line => line.startsWith('android: ')));
}

// The same hermesc that the app brought, and the reader of maps.
function packages() {
  const lock = JSON.parse(fs.readFileSync(path.join(app, 'package-lock.json'), 'utf8'));
  const version = lock.packages['node_modules/hermes-compiler'].version;
  const folder = path.join(place, 'tools');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), '{"private":true}');
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', 'source-map@0.7.6', `hermes-compiler@${version}`],
    {cwd: folder});
  return {
    hermesc: path.join(folder, 'node_modules/hermes-compiler/hermesc/linux64-bin/hermesc'),
    SourceMapConsumer: createRequire(path.join(folder, 'package.json'))('source-map').SourceMapConsumer,
  };
}

function checkHeader(hermesc) {
  const header = fs.readFileSync(path.join(place, `${NAME}.hbc`)).subarray(0, 12);
  const wanted = Number(/HBC bytecode version: (\d+)/.exec(run(hermesc, ['--version']))[1]);
  assert.equal(header.readBigUInt64LE(0), MAGIC);
  assert.equal(header.readUInt32LE(8), wanted);
  console.log(`bytecode version ${wanted}, as the app's hermesc has it`);
}

// {name, from, code: [{at, operation}]} of each function; `from` is where it begins among all.
function functionsOf(hermesc, starts) {
  const listing = run(hermesc, ['-b', '-dump-bytecode', '-pretty=0', path.join(place, `${NAME}.hbc`)]);
  const functions = [];
  for (const line of listing.split('\n')) {
    const head = /^\w*Function<(.*)>\(\d+ params/.exec(line);
    const operation = /^\[@ (\d+)\] (\w+)/.exec(line);
    if (head) {
      functions.push({name: head[1], from: starts[functions.length], code: []});
    } else if (operation) {
      functions.at(-1).code.push({at: Number(operation[1]), operation: operation[2]});
    }
  }
  assert.equal(functions.length, starts.length);
  return functions;
}

// Where the end of `before` stands in a file of the app: what the map must say.
function placeOf(file, before, text) {
  const lines = fs.readFileSync(path.join(app, file), 'utf8').split('\n');
  const at = lines.findIndex(line => line.includes(before + text));
  assert.ok(at >= 0);
  return {file, line: at + 1, column: lines[at].indexOf(before + text) + before.length};
}

// hermesc gives a call, and the making of an error, the place of its parenthesis.
const CASES = [
  {what: 'the throw', name: 'nextOnDuty', operation: /^Throw$/, file: 'src/rotation.ts', before: '', text: 'throw new Error('},
  {what: 'the making of the error', name: 'nextOnDuty', operation: /^Construct/, file: 'src/rotation.ts', before: 'throw new Error', text: '('},
  {what: 'the call of it', name: 'App', operation: /^Call/, file: 'src/App.tsx', before: 'nextOnDuty', text: '(people, turn)'},
];

async function main() {
  build();
  const {hermesc, SourceMapConsumer} = packages();
  checkHeader(hermesc);
  const map = JSON.parse(fs.readFileSync(path.join(place, `${NAME}.map`), 'utf8'));
  const functions = functionsOf(hermesc, map.x_hermes_function_offsets['0']);
  const consumer = await new SourceMapConsumer(map);
  for (const {what, name, operation, file, before, text} of CASES) {
    const wanted = placeOf(file, before, text);
    const found = functions.filter(f => f.name === name);
    assert.equal(found.length, 1, `${found.length} functions are called ${name}`);
    const addresses = found[0].code.filter(c => operation.test(c.operation)).map(c => found[0].from + c.at);
    const places = addresses.map(column => ({column, original: consumer.originalPositionFor({line: 1, column})}));
    const right = places.find(({original}) => original.source?.endsWith(`/${file}`) &&
      original.line === wanted.line && original.column === wanted.column);
    assert.ok(right, `${name}: ${JSON.stringify(places)} instead of ${JSON.stringify(wanted)}`);
    console.log(`address at ${NAME}:1:${right.column} -> ${file}:${wanted.line}:${wanted.column} (${what}, in ${name})`);
  }
  console.log(`${functions.length} functions, ${map.sources.length} sources`);
  consumer.destroy();
}

try {
  await main();
} finally {
  fs.rmSync(place, {recursive: true, force: true});
}
