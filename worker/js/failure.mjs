// failure.mjs: turns whatever Metro, Babel or the app's configuration threw into one line for the agent.
//
// Metro marks its own errors with `type`; the rest is told apart by errno codes and texts that were
// seen with Metro 0.80 to 0.84. Texts are cleaned: no colour codes, a bounded length, and paths relative
// to the app, because the place inside the sandbox means nothing to the app's author.
import {createRequire} from 'node:module';
import path from 'node:path';
import {stripVTControlCharacters} from 'node:util';

import {appRequire, folderOf, nodeMissed, packageOf} from './tools.mjs';

const TEXT_MAX = 1000;

// An error whose name in errors.def is already known where it is thrown.
export class BuildError extends Error {
  constructor(name, cause) {
    super(cause instanceof Error ? cause.message : String(cause), {cause});
    this.errorName = name;
  }
}

const NAMES_BY_ERRNO = {
  ENOSPC: 'WORKSPACE_FULL',
  EDQUOT: 'WORKSPACE_FULL',
};

const NAMES_BY_TYPE = {
  TransformError: 'BUNDLE_SYNTAX',
  SyntaxError: 'BUNDLE_SYNTAX',
  UnableToResolveError: 'BUNDLE_RESOLVE',
};

function* causesOf(error) {
  for (let e = error, depth = 0; e && depth < 8; e = e.cause, depth++) {
    yield e;
  }
}

// A transform error without a place is no syntax error: Babel's configuration or a plugin threw.
function nameByType(error) {
  const name = NAMES_BY_TYPE[error?.type];
  return name === 'BUNDLE_SYNTAX' && !placeOf(error).line ? 'BUNDLE_FAILED' : name;
}

function nameOf(error) {
  const chain = [...causesOf(error)];
  const errno = chain.map(e => NAMES_BY_ERRNO[e.code]).find(Boolean);
  return errno ?? chain.map(e => e.errorName ?? nameByType(e)).find(Boolean) ?? 'BUNDLE_FAILED';
}

const positive = n => (Number.isInteger(n) && n > 0 ? n : undefined);

// Babel gives `loc`, Metro `lineNumber` and `column`; an unresolvable import says them in its frame only.
function placeOf(error) {
  return {
    file: error.filename ?? error.originModulePath,
    line: positive(error.lineNumber) ?? positive(error.loc?.line) ?? frameLine(error),
    column: columnOf(error),
  };
}

// Babel counts columns from 0, editors from 1.
function columnOf(error) {
  const column = error.column ?? error.loc?.column;
  return Number.isInteger(column) && column >= 0 ? column + 1 : undefined;
}

// "> 3 | import x from './nowhere';" is the marked line of a code frame.
function frameLine(error) {
  const marked = /^\s*>\s*(\d+)\s*\|/m.exec(clean(error.message ?? ''));
  return marked ? Number(marked[1]) : undefined;
}

function clean(text) {
  // eslint-disable-next-line no-control-regex
  return stripVTControlCharacters(String(text)).replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
}

function relative(root, file) {
  return typeof file === 'string' && path.isAbsolute(file) ? path.relative(root, file) : file;
}

// "Error: src/a.ts: Unexpected token (7:41)" says the place a second time. The first line is the news, or
// the second where the first only introduces it; the code frame below goes to the log with the rest.
function gist(text, file) {
  const [first = '', second = ''] = text.split('\n').filter(line => line.trim());
  const loading = /^Error loading Metro config at: (.*)$/.exec(first);
  if (loading) {
    return `${loading[1]}: ${second}`.slice(0, TEXT_MAX);
  }
  const bare = first.replace(/^(?:\w*Error: )+/, '').replace(/ \(\d+:\d+\)$/, '').replace(/:\s*$/, '');
  return (file && bare.startsWith(`${file}: `) ? bare.slice(file.length + 2) : bare).slice(0, TEXT_MAX);
}

function isOlder(reactNative) {
  const {ltr} = createRequire(path.join(reactNative, 'package.json'))('semver');
  return ltr(process.version, packageOf(reactNative).engines.node);
}

// A Node that the app's React Native was not made for fails first in Metro's configuration, with a bare
// error of JavaScript ("configs.toReversed is not a function"). `app` is the app's own folder; null: the Node fits.
function wrongNode(app) {
  try {
    const reactNative = folderOf(appRequire(app), ['react-native']);
    const missed = reactNative && nodeMissed({reactNative});
    return missed && `${isOlder(reactNative) ? 'this Node is too old' : 'this is the wrong Node'}: ${missed}`;
  } catch {
    return null; // what was thrown is the news, not that nothing could be found out about it
  }
}

// The gist, behind the Node that may be its cause.
function newsOf(error, root, file) {
  const text = gist(textOf(error, root), file);
  const wrong = nameOf(error) === 'METRO_CONFIG' ? wrongNode(process.cwd()) : null;
  return (wrong ? `${wrong} (it failed with: ${text})` : text).slice(0, TEXT_MAX);
}

// The line {"type":"error",…}; place members are left out where nothing is known.
export function describe(thrown, root) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const withPlace = [...causesOf(error)].find(e => placeOf(e).file) ?? error;
  const place = placeOf(withPlace);
  const file = relative(root, place.file);
  return {
    type: 'error',
    name: nameOf(error),
    text: newsOf(error, root, file),
    file,
    line: place.line,
    column: place.column,
  };
}

// Everything that is known, for the log.
export function textOf(thrown, root) {
  const text = thrown instanceof Error ? thrown.message || thrown.stack : thrown;
  return clean(text || 'unknown').replaceAll(`${root}/`, '');
}
