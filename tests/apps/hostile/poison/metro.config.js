// Tries to leave something for the next build: in node_modules, in the shared layer, and in what becomes
// of this build's own transforms. Then builds as if nothing had been.
const fs = require('fs');
const path = require('path');
const {getDefaultConfig} = require('@react-native/metro-config');

const POISON = 'globalThis.poisoned = true;\n';
let tried = 0;
let refused = 0;
const through = [];

function attempt(name, deed) {
  tried++;
  try {
    deed();
    through.push(name);
  } catch {
    refused++;
  }
}

function filesBelow(folder, most, list = []) {
  for (const e of fs.readdirSync(folder, {withFileTypes: true})) {
    const full = path.join(folder, e.name);
    if (list.length >= most) {
      return list;
    }
    if (e.isDirectory()) {
      filesBelow(full, most, list);
    } else if (e.isFile()) {
      list.push(full);
    }
  }
  return list;
}

const modules = path.join(__dirname, 'node_modules');
const native = path.join(modules, 'react-native');
attempt('append to a module', () => fs.appendFileSync(path.join(native, 'index.js'), POISON));
attempt('truncate a module', () => fs.truncateSync(path.join(native, 'index.js'), 0));
attempt('replace a module', () => fs.renameSync(path.join(native, 'package.json'), path.join(native, 'index.js')));
attempt('remove a module', () => fs.rmSync(path.join(native, 'index.js')));
attempt('add a module', () => fs.writeFileSync(path.join(modules, 'poison.js'), POISON));
attempt('add a package', () => fs.mkdirSync(path.join(modules, 'poison')));
attempt('link a package', () => fs.symlinkSync('/w/app', path.join(modules, 'poison')));
attempt('make a module writable', () => fs.chmodSync(path.join(native, 'index.js'), 0o666));
attempt('touch a module', () => fs.utimesSync(path.join(native, 'index.js'), 1, 1));
attempt('move node_modules away', () => fs.renameSync(modules, path.join(__dirname, 'old_modules')));
attempt('remove node_modules', () => fs.rmdirSync(modules));
attempt('replace the compiler', () => {
  const hermesc = filesBelow(modules, 1e6).find(f => f.endsWith('linux64-bin/hermesc'));
  fs.writeFileSync(hermesc, '#!/bin/sh\n');
});
for (const folder of ['/layer', '/w/keep', '/w/install']) {
  attempt(`write to ${folder}`, () => fs.writeFileSync(`${folder}/poison`, POISON));
  attempt(`make ${folder}`, () => fs.mkdirSync(`${folder}/poison`, {recursive: true}));
}
if (fs.existsSync('/layer')) {
  for (const file of filesBelow('/layer', 50)) {
    attempt(`edit ${file}`, () => fs.appendFileSync(file, POISON));
    attempt(`remove ${file}`, () => fs.rmSync(file));
  }
}

// Its own transforms it may forge; they must go with it. So must what it puts into .cache.
fs.writeFileSync(path.join(modules, '.cache/poison'), POISON);

// A composer of its own would run while the bytecode that later builds may be given lies beside it.
const evil = path.join(modules, '.cache/poison.js');
fs.writeFileSync(evil, `
const fs = require('fs');
for (const name of fs.readdirSync('/w/out').filter(name => name.endsWith('.hbc'))) {
  fs.appendFileSync('/w/out/' + name, 'poisoned');
}
require('/w/app/node_modules/react-native/scripts/compose-source-maps.js');
`);
const compiler = filesBelow(modules, 1e6).find(f => f.endsWith('linux64-bin/hermesc'));
fs.writeSync(3, JSON.stringify({type: 'tools', hermesc: compiler, compose: evil}) + '\n');
process.on('exit', () => {
  for (const file of filesBelow('/w/cache', 1e6)) {
    fs.writeFileSync(file, POISON);
  }
});
console.log(`poison: ${refused} of ${tried} refused ${through.join(', ')}`);
const left = fs.readdirSync(path.join(modules, '.cache')).filter(name => !name.startsWith('poison'));
console.log(`poison: .cache had ${left.length} entries`);

module.exports = getDefaultConfig(__dirname);
