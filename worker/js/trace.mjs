// trace.mjs: which files the app's configuration looked at, so that a change of any of them is a
// change of the cache's version.
//
// Metro knows nothing of most of them: babel.config.js, a plugin that it requires, a .env file that the
// plugin reads. So the file functions of Node are watched while the configuration loads, and what was
// required is in require.cache. What cannot be listed is an ES module: Node loads those behind our back.
// A file that imports one, or is one, is said so, and the caller then does without the shared layer.
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);

const READS = ['readFileSync', 'readFile', 'openSync', 'open', 'createReadStream'];
const LOOKS = ['existsSync', 'statSync', 'lstatSync', 'accessSync', 'stat', 'access'];
const LISTS = ['readdirSync', 'readdir'];

// Files that configure a build by their name alone, wherever in the source they lie. A plugin out of
// node_modules may read its own (tailwind.config.js) only once it runs, when nobody watches any more.
const NAMES = [
  /^\.env/, /^\.\w+(?:rc|ignore)(?:\.\w+)?$/, /\.config\.\w+$/,
  /^tsconfig.*\.json$/, /^jsconfig.*\.json$/, /^(?:app|package|package-lock|npm-shrinkwrap)\.json$/,
  /^yarn\.lock$/, /^pnpm-lock\.yaml$/, /^pnpm-workspace\.yaml$/,
];
const SKIPPED = new Set(['node_modules', '.git', '.expo']);

function isForeign(file) {
  return file.split(path.sep).includes('node_modules');
}

function isBelow(folder, file) {
  return file === folder || file.startsWith(folder + path.sep);
}

function nameOf(argument) {
  if (typeof argument === 'string') {
    return path.resolve(argument);
  }
  return argument instanceof URL && argument.protocol === 'file:' ? argument.pathname : null;
}

function* filesBelow(folder) {
  for (const entry of fs.readdirSync(folder, {withFileTypes: true})) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) {
      yield* filesBelow(file);
    } else if (entry.isFile()) {
      yield file;
    }
  }
}

function configFiles(top) {
  return [...filesBelow(top)].filter(file => NAMES.some(name => name.test(path.basename(file))));
}

// A plugin of the app's own may require or read more once it runs. It takes that from its own folder, as
// good as always; so all of the folder counts.
function besides(required, top, root) {
  const folders = new Set(required.map(file => path.dirname(file)));
  const own = [...folders].filter(folder => isBelow(top, folder) && !isBelow(folder, root));
  return own.flatMap(folder => [...filesBelow(folder)]);
}

// The app's own folder holds everything, so there only the configurations themselves are known: not what a
// plugin beside them, or written into them, looks at once it runs.
function mayLookLater(file, required, top, root) {
  const isBeside = isBelow(top, file) && isBelow(path.dirname(file), root);
  if (!isBeside || !/\.[cm]?js$/.test(file)) {
    return false;
  }
  const isConfiguration = NAMES.some(name => name.test(path.basename(file)));
  return isConfiguration ? /\bvisitor\b/.test(fs.readFileSync(file, 'utf8')) : required.includes(file);
}

// Text that may bring ES modules in. Wrong now and then, in the safe direction.
function mayImport(file) {
  if (/\.(?:mjs|mts|ts|cts|tsx)$/.test(file)) {
    return true;
  }
  return /\.(?:js|cjs|jsx)$/.test(file) && /\bimport\s*\(|^\s*(?:import|export)\b/m.test(fs.readFileSync(file, 'utf8'));
}

// Watches from now on; `top` is the folder of the whole source, `root` the app's.
export function traceBegin(top, root) {
  const read = new Set();
  const looked = new Set();
  const listed = new Set();
  let isOn = true;

  function note(set, argument) {
    const file = isOn ? nameOf(argument) : null;
    if (file && isBelow(top, file) && !isForeign(path.relative(top, file))) {
      set.add(file);
    }
  }
  function watch(holder, name, set) {
    const original = holder[name];
    function watched(...args) {
      note(set, args[0]);
      return Reflect.apply(original, this, args);
    }
    Object.defineProperties(watched, Object.getOwnPropertyDescriptors(original));
    holder[name] = watched;
  }
  for (const [names, set] of [[READS, read], [LOOKS, looked], [LISTS, listed]]) {
    for (const name of names) {
      for (const holder of [fs, fs.promises].filter(h => typeof h[name] === 'function')) {
        watch(holder, name, set);
      }
    }
  }

  // Stops watching. `files`: whose bytes count; `places`: where it counts whether something is there;
  // `folders`: whose names count; `isComplete`: nothing of the configuration escaped.
  return function traceEnd() {
    isOn = false;
    const required = Object.keys(require.cache).filter(file => path.isAbsolute(file) && !isForeign(file));
    const files = new Set([...configFiles(top), ...read, ...required, ...besides(required, top, root)]);
    const code = [...required, ...[...files].filter(file => /(?:babel|metro)\.config\.\w+$|\.babelrc\.\w+$/.test(file))];
    const isKnown = file => !fs.existsSync(file) || (!mayImport(file) && !mayLookLater(file, required, top, root));
    return {
      files: [...files].sort(),
      places: [...looked].sort(),
      folders: [...listed].sort(),
      isComplete: code.every(isKnown),
    };
  };
}
