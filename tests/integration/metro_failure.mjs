// metro_failure.mjs: what a build says when Metro's configuration fails under a Node that the app's React Native was not
// made for. It matters because Metro itself says "configs.toReversed is not a function", which sends people looking
// into their own configuration. The driver's own words are asked for, in an app with a react-native that wants
// another Node than the one that runs this.
//
//   node metro_failure.mjs FAILURE_MJS
import assert from 'node:assert';
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const {BuildError, describe} = await import(pathToFileURL(path.resolve(process.argv[2])));
const major = Number(process.versions.node.split('.')[0]);
const npm = path.dirname(fs.realpathSync(execFileSync('which', ['npm'], {encoding: 'utf8'}).trim()));
const semver = path.join(npm, '../node_modules/semver');
const bare = 'configs.toReversed is not a function';

function put(file, text) {
  fs.mkdirSync(path.dirname(file), {recursive: true});
  fs.writeFileSync(file, text);
}

// An app whose react-native asks for Node `range`; without, for none. React Native brings semver itself.
function app(dir, range, hasSemver = true) {
  const folder = path.join(dir, 'node_modules/react-native');
  put(path.join(dir, 'package.json'), '{}');
  put(path.join(folder, 'package.json'), JSON.stringify({version: '0.86.3', engines: range && {node: range}}));
  if (hasSemver) {
    fs.mkdirSync(path.join(folder, 'node_modules'));
    fs.symlinkSync(semver, path.join(folder, 'node_modules/semver'));
  }
  return dir;
}

const rows = [
  {what: 'too old', range: `^${major + 1}.1.0 || >= ${major + 3}.0.0`, says: 'this Node is too old: '},
  {what: 'too new', range: `<${major}`, says: 'this is the wrong Node: '},
  {what: 'it fits', range: `>=${major}`},
  {what: 'no range'},
  {what: 'no semver', range: `>=${major + 1}`, hasSemver: false},
  {what: 'no range that semver reads', range: 'not a range'},
  {what: 'another error', range: `>=${major + 1}`, name: 'ENTRY_MISSING'},
];

const top = fs.mkdtempSync(path.join(os.tmpdir(), 'rota-metro-failure-'));
try {
  for (const [i, row] of rows.entries()) {
    process.chdir(app(path.join(top, String(i)), row.range, row.hasSemver));
    const {name, text} = describe(new BuildError(row.name ?? 'METRO_CONFIG', new TypeError(bare)), process.cwd());
    assert.strictEqual(name, row.name ?? 'METRO_CONFIG', row.what);
    const whole = row.says &&
      `${row.says}react-native 0.86.3 asks for Node ${row.range}; this is ${process.version}: name the range in the app's package.json as engines.node (it failed with: ${bare})`;
    assert.strictEqual(text, whole || bare, row.what);
  }
  console.log(`${rows.length} failures told, ${rows.filter(r => r.says).length} with the Node that ran and the range that is asked for`);
} finally {
  process.chdir(os.tmpdir());
  fs.rmSync(top, {recursive: true});
}
