// tools.mjs: finds Metro, Hermes and the map composer in the app's own node_modules.
//
// npm may hoist a package or nest it below the one that needs it, so each is looked up from the app
// first and then from the packages that are known to bring it.
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

import {BuildError} from './failure.mjs';

export function appRequire(root) {
  return createRequire(path.join(root, 'package.json'));
}

// The folder of a package, followed along `via`: folderOf(require, ['react-native', 'hermes-compiler']).
function folderOf(require, via) {
  let from = require;
  let folder = null;
  for (const name of via) {
    const file = packageFile(from, name);
    if (!file) {
      return null;
    }
    folder = path.dirname(file);
    from = createRequire(file);
  }
  return folder;
}

// `exports` of a package may hide its package.json from resolve(), so the folders are walked instead.
function packageFile(require, name) {
  for (const folder of require.resolve.paths(name) ?? []) {
    const file = path.join(folder, name, 'package.json');
    if (fs.existsSync(file)) {
      return fs.realpathSync(file);
    }
  }
  return null;
}

function firstFolder(require, ways) {
  for (const via of ways) {
    const folder = folderOf(require, via);
    if (folder) {
      return folder;
    }
  }
  return null;
}

const METRO_WAYS = [
  ['metro'],
  ['react-native', '@react-native/community-cli-plugin', 'metro'],
  ['@react-native/metro-config', 'metro-config', 'metro'],
  ['expo', '@expo/metro', 'metro'],
];

function metroOf(require) {
  const folder = firstFolder(require, METRO_WAYS);
  if (!folder) {
    throw new BuildError('BUNDLE_FAILED', new Error('the app brings no Metro: depend on react-native and @react-native/metro-config'));
  }
  return folder;
}

// Loads a package by its folder. A package with `exports` may be asked for by its own name from inside;
// one without is loaded by path.
function load(folder) {
  const file = path.join(folder, 'package.json');
  const {name, exports} = JSON.parse(fs.readFileSync(file, 'utf8'));
  return createRequire(file)(exports ? name : folder);
}

const HERMES_FILES = [
  [['hermes-compiler'], 'hermesc/linux64-bin/hermesc'],
  [['react-native', 'hermes-compiler'], 'hermesc/linux64-bin/hermesc'],
  [['react-native'], 'sdks/hermesc/linux64-bin/hermesc'],
];

function hermescOf(require) {
  for (const [via, file] of HERMES_FILES) {
    const folder = folderOf(require, via);
    if (folder && fs.existsSync(path.join(folder, file))) {
      return path.join(folder, file);
    }
  }
  throw new BuildError('HERMES_MISSING', new Error('neither hermes-compiler nor react-native/sdks/hermesc has a hermesc for linux64'));
}

function composerOf(require) {
  const folder = folderOf(require, ['react-native']);
  const file = folder && path.join(folder, 'scripts/compose-source-maps.js');
  if (!file || !fs.existsSync(file)) {
    throw new BuildError('BUNDLE_FAILED', new Error('the app does not depend on react-native'));
  }
  return file;
}

// All that a build needs, looked up before the first slow step, so that a missing tool is told at once.
export function toolsOf(require) {
  const hermesc = hermescOf(require);
  const compose = composerOf(require);
  const metro = metroOf(require);
  const defaults = folderOf(require, ['@react-native/metro-config']);
  return {
    hermesc,
    compose,
    metro: load(metro),
    metroConfig: load(folderOf(createRequire(path.join(metro, 'package.json')), ['metro-config'])),
    reactNativeMetroConfig: defaults ? load(defaults) : null,
  };
}
