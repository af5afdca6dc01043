// entry.mjs: which file the bundle starts at, by the rule of the app's own ecosystem.
//
// React Native: index.<platform>.js before index.js before package.json's main: the native projects of an
// app look for index files first, and `main` stands in for apps that keep their entry elsewhere.
// Expo: what Expo itself answers, which begins with package.json's main (expo/AppEntry, expo-router/entry).
// Whoever publishes may name the entry; then it is that one or none.
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

import {BuildError} from './failure.mjs';
import {packageOf} from './tools.mjs';

const EXTENSIONS = ['js', 'jsx', 'ts', 'tsx'];

function isFile(file) {
  return fs.statSync(file, {throwIfNoEntry: false})?.isFile() ?? false;
}

function missing(text) {
  return new BuildError('ENTRY_MISSING', new Error(text));
}

function given(root, entry) {
  if (!isFile(path.join(root, entry))) {
    throw missing(`there is no ${entry}, which the job names as its entry`);
  }
  return entry;
}

function reactNativeEntry(root, platform) {
  const {main} = packageOf(root);
  const own = typeof main === 'string' && main ? main : null;
  const names = [
    ...EXTENSIONS.map(e => `index.${platform}.${e}`),
    ...EXTENSIONS.map(e => `index.${e}`),
    ...(own ? [own, ...EXTENSIONS.map(e => `${own}.${e}`)] : []),
  ];
  const found = names.find(name => isFile(path.join(root, name)));
  if (!found) {
    const wanted = [...new Set([`index.${platform}.js`, 'index.js', own ?? 'main in package.json'])];
    throw missing(`the app has none of ${wanted.join(', ')}`);
  }
  return found;
}

function expoEntry(root, platform, expoCli) {
  const {resolveEntryPoint} = createRequire(path.join(expoCli, 'package.json'))('@expo/config/paths');
  try {
    return path.relative(root, resolveEntryPoint(root, {platform}));
  } catch (error) {
    throw missing(error.message);
  }
}

// Relative to `root`; with Expo it may lie in a package, above it.
export function entryOf(root, platform, {entry, expoCli}) {
  if (entry) {
    return given(root, entry);
  }
  return expoCli ? expoEntry(root, platform, expoCli) : reactNativeEntry(root, platform);
}
