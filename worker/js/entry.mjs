// entry.mjs: which file the bundle starts at, by React Native's own rule.
//
// index.<platform>.js before index.js before package.json's main: the native projects of an app look
// for index files first, and `main` stands in for apps that keep their entry elsewhere.
import fs from 'node:fs';
import path from 'node:path';

import {BuildError} from './failure.mjs';

const EXTENSIONS = ['js', 'jsx', 'ts', 'tsx'];

function isFile(file) {
  return fs.statSync(file, {throwIfNoEntry: false})?.isFile() ?? false;
}

function mainOf(root) {
  const main = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).main;
  return typeof main === 'string' && main ? main : null;
}

export function entryOf(root, platform) {
  const main = mainOf(root);
  const names = [
    ...EXTENSIONS.map(e => `index.${platform}.${e}`),
    ...EXTENSIONS.map(e => `index.${e}`),
    ...(main ? [main, ...EXTENSIONS.map(e => `${main}.${e}`)] : []),
  ];
  const found = names.find(name => isFile(path.join(root, name)));
  if (!found) {
    const wanted = [...new Set([`index.${platform}.js`, 'index.js', main ?? 'main in package.json'])];
    throw new BuildError('ENTRY_MISSING', new Error(`the app has none of ${wanted.join(', ')}`));
  }
  return found;
}
