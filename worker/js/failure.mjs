// failure.mjs: turns whatever Metro, Babel or the app's configuration threw into one line for the agent.
//
// Metro marks its own errors with `type`; the rest is told apart by errno codes and texts that were
// seen with Metro 0.80 to 0.84. Texts are cleaned: no colour codes, a bounded length, and paths relative
// to the app, because the place inside the sandbox means nothing to the app's author.
import path from 'node:path';
import {stripVTControlCharacters} from 'node:util';

const TEXT_MAX = 4000;

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
    column: positive(error.column) ?? positive(error.loc?.column),
  };
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

// The line {"type":"error",…}; place members are left out where nothing is known.
export function describe(thrown, root) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const withPlace = [...causesOf(error)].find(e => placeOf(e).file) ?? error;
  const place = placeOf(withPlace);
  const text = clean(error.message || error.stack || 'unknown').replaceAll(`${root}/`, '');
  return {
    type: 'error',
    name: nameOf(error),
    text: text.slice(0, TEXT_MAX),
    file: relative(root, place.file),
    line: place.line,
    column: place.column,
  };
}
