// cache.mjs: where Metro keeps its transforms, and what they depend on.
//
// Metro's key holds a module's text, its path and the transformer's options. It does not hold
// babel.config.js nor anything that one leads to: a changed plugin would give the old bundle. All of that
// goes into the version (trace.mjs).
//
// Two stores. The upper one is this build's own and goes with it. The lower one, where there is one, was
// filled by a build of the operator's own and is mounted read-only: nothing is ever written to it, and
// it is used only when every file of the configuration is known.
import crypto from 'node:crypto';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';

import {FolderStore} from './store.mjs';

const OWN_FOLDER = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const OWN_VARIABLES = new Set(['ROTA_CACHE', 'ROTA_LAYER', 'PWD', 'OLDPWD', 'SHLVL', '_']);

function isFolder(name) {
  return fs.statSync(name, {throwIfNoEntry: false})?.isDirectory() ?? false;
}

function upperFolder() {
  const folder = process.env.ROTA_CACHE ?? '/w/cache';
  if (isFolder(folder)) {
    return folder;
  }
  const own = path.join(os.tmpdir(), 'metro-cache');
  fs.mkdirSync(own, {recursive: true});
  return own;
}

function lowerFolder(platform) {
  const folder = path.join(process.env.ROTA_LAYER ?? '/layer', platform);
  return isFolder(folder) ? folder : null;
}

function environment() {
  return Object.entries(process.env).filter(([name]) => !OWN_VARIABLES.has(name)).sort();
}

function fileHash(file) {
  try {
    return crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  } catch (error) {
    return error.code; // a missing file is a state like any other; so is a folder
  }
}

function folderNames(folder) {
  try {
    return fs.readdirSync(folder).filter(name => name !== 'node_modules' && name !== '.expo').sort();
  } catch (error) {
    return error.code;
  }
}

function ownFiles() {
  return fs.readdirSync(OWN_FOLDER).filter(name => name.endsWith('.mjs')).sort()
    .map(name => [name, fileHash(path.join(OWN_FOLDER, name))]);
}

function versionOf(top, seen, given) {
  const at = file => path.relative(top, file);
  const parts = {
    given: String(given ?? ''),
    node: process.version,
    driver: ownFiles(),
    environment: environment(),
    files: seen.files.map(file => [at(file), fileHash(file)]),
    places: seen.places.map(place => [at(place), fs.existsSync(place)]),
    folders: seen.folders.map(folder => [at(folder), folderNames(folder)]),
  };
  return crypto.createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

// A shared transform that cannot be read is made anew.
function sharedGet(lower, key) {
  try {
    return lower.get(key);
  } catch {
    return null;
  }
}

// One store in Metro's eyes, so that what the layer has is not copied into the build's own memory. Metro
// asks for no transform twice, so an upper folder that was empty at the beginning has nothing to give.
class Layers {
  name = 'layers';
  found = 0;
  asked = 0;
  writing = new Set();

  constructor(upper, lower) {
    this.upper = upper;
    this.isUpperEmpty = fs.readdirSync(upper.folder).length === 0;
    this.lower = lower;
  }

  get(key) {
    this.asked++;
    const own = this.isUpperEmpty ? null : this.upper.get(key);
    if (own != null || !this.lower) {
      return own;
    }
    const shared = sharedGet(this.lower, key);
    this.found += shared != null;
    return shared;
  }

  set(key, value) {
    const written = this.upper.set(key, value).finally(() => this.writing.delete(written));
    this.writing.add(written);
    return written;
  }

  // Metro does not wait for its writes; whoever ends the process must, or the last ones are lost.
  settle() {
    return Promise.allSettled(this.writing);
  }

  clear() {}
}

// Loads what transforms will load, so that the trace sees it. False: something could not be loaded, and
// with it not be listed; the transform will say why, with a better error.
function loadTransformers(config, entry, platform) {
  const {transformer, transformerPath} = config;
  const babelEnv = process.env.BABEL_ENV;
  try {
    const require = createRequire(transformer.babelTransformerPath);
    for (const file of [transformerPath, transformer.babelTransformerPath, ...(transformer.assetPlugins ?? [])]) {
      require(file);
    }
    process.env.BABEL_ENV = babelEnv || 'production';
    require('@babel/core').loadOptionsSync({
      cwd: config.projectRoot,
      root: config.projectRoot,
      filename: path.resolve(config.projectRoot, entry),
      caller: {name: 'metro', bundler: 'metro', platform},
      envName: process.env.BABEL_ENV,
    });
    return true;
  } catch {
    return false;
  } finally {
    if (babelEnv === undefined) {
      delete process.env.BABEL_ENV;
    } else {
      process.env.BABEL_ENV = babelEnv;
    }
  }
}

// Sets stores and version in `config`; returns the stores, whose counts tell how much the layer gave.
export function cacheSet(config, {top, entry, platform, traceEnd}) {
  const isLoaded = loadTransformers(config, entry, platform);
  const seen = traceEnd();
  const lower = isLoaded && seen.isComplete ? lowerFolder(platform) : null;
  const stores = new Layers(new FolderStore(upperFolder()), lower ? new FolderStore(lower) : null);
  config.cacheStores = [stores];
  config.cacheVersion = versionOf(top, seen, config.cacheVersion);
  return stores;
}
