// tools.mjs: finds Metro, Hermes and the map composer in the app's own node_modules.
//
// A package manager may hoist a package, nest it below the one that needs it, or link it from a store, so
// each is looked up from the app first and then from the packages that are known to bring it.
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

import {BuildError} from './failure.mjs';

export function appRequire(root) {
  return createRequire(path.join(root, 'package.json'));
}

// The folder of a package, followed along `via`: folderOf(require, ['react-native', 'hermes-compiler']).
export function folderOf(require, via) {
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

// Expo's command line brings a Metro of its own, which need not be the one that a look from the app finds.
const EXPO_METRO_WAYS = [
  ['expo', '@expo/cli', '@expo/metro', 'metro'],
  ['expo', '@expo/metro', 'metro'],
];
const METRO_WAYS = [
  ['metro'],
  ['react-native', '@react-native/community-cli-plugin', 'metro'],
  ['@react-native/metro-config', 'metro-config', 'metro'],
  ['expo', '@expo/metro-config', 'metro'],
];

export function metroOf(require, isExpo) {
  const folder = firstFolder(require, isExpo ? [...EXPO_METRO_WAYS, ...METRO_WAYS] : METRO_WAYS);
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

// One file of a package, also one that its `exports` do not offer; null when it has none such.
export function loadFile(folder, file) {
  const place = folder && path.join(folder, file);
  return place && fs.existsSync(place) ? createRequire(place)(place) : null;
}

const HERMES_FILES = [
  [['react-native', 'hermes-compiler'], 'hermesc/linux64-bin/hermesc'],
  [['hermes-compiler'], 'hermesc/linux64-bin/hermesc'],
  [['react-native'], 'sdks/hermesc/linux64-bin/hermesc'],
];

function hermescOf(require) {
  for (const [via, file] of HERMES_FILES) {
    const folder = folderOf(require, via);
    if (folder && fs.existsSync(path.join(folder, file))) {
      return {file: path.join(folder, file), version: packageOf(folder).version};
    }
  }
  throw new BuildError('HERMES_MISSING', new Error('neither hermes-compiler nor react-native/sdks/hermesc has a hermesc for linux64'));
}

function composerOf(reactNative) {
  const file = reactNative && path.join(reactNative, 'scripts/compose-source-maps.js');
  if (!file || !fs.existsSync(file)) {
    throw new BuildError('BUNDLE_FAILED', new Error('the app does not depend on react-native'));
  }
  return file;
}

export function packageOf(folder) {
  return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
}

// Apps with Expo's modules are bundled by Expo's own command, Expo's templates and its installer say so
// to Gradle and Xcode. An Expo that is too old to have it goes React Native's way.
function expoOf(root, require) {
  const {dependencies = {}} = packageOf(root);
  const cli = dependencies.expo ? firstFolder(require, [['expo', '@expo/cli'], ['@expo/cli']]) : null;
  return cli && fs.existsSync(path.join(cli, 'build/src/export/embed/exportEmbedAsync.js')) ? cli : null;
}

// All that a build needs, looked up before the first slow step, so that a missing tool is told at once.
export function toolsOf(root) {
  const require = appRequire(root);
  const reactNative = folderOf(require, ['react-native']);
  const hermesc = hermescOf(require);
  const compose = composerOf(reactNative);
  const expoCli = expoOf(root, require);
  const metro = metroOf(require, expoCli !== null);
  return {
    reactNative,
    hermesc,
    compose,
    expoCli,
    metro,
    versions: {
      'react-native': packageOf(reactNative).version,
      metro: packageOf(metro).version,
      hermesc: hermesc.version,
    },
  };
}

// What the app's React Native asks of Node and does not get here, or null. A build may well succeed all the
// same, so it is a hint for the log.
export function nodeMissed({reactNative}) {
  const {version, engines} = packageOf(reactNative);
  const folder = folderOf(createRequire(path.join(reactNative, 'package.json')), ['semver']);
  const range = engines?.node;
  return folder && range && !load(folder).satisfies(process.version, range)
    ? `react-native ${version} asks for Node ${range}; this is ${process.version}: name the range in the app's package.json as engines.node`
    : null;
}

// Metro itself and the packages around it, loaded; slow, and the packages of the app's own choice.
export function metroLoad(root, tools) {
  const beside = createRequire(path.join(tools.metro, 'package.json'));
  const defaults = folderOf(appRequire(root), ['@react-native/metro-config']);
  return {
    metro: load(tools.metro),
    metroConfig: load(folderOf(beside, ['metro-config'])),
    reactNativeMetroConfig: defaults ? load(defaults) : null,
  };
}
