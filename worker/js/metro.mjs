// metro.mjs: bundles one app with the app's own tools. Runs inside the sandbox.
//
//   node metro.mjs SOURCE PLATFORM OUT_DIR BUNDLE_NAME [ROOT [ENTRY]]      (fd 3: JSON lines for the agent)
//   node metro.mjs --ahead SOURCE      (loads SOURCE/node_modules; the rest comes on fd 6, see ahead.mjs)
//
// ROOT is the app's folder below SOURCE ("." or nothing: SOURCE itself), ENTRY a file below that. Everything
// is resolved from the app's node_modules: the versions of Metro, Babel and Hermes must fit the app's
// React Native. React Native apps are native.mjs, Expo apps are expo.mjs.
//
// Lines on fd 3, at most five progress lines a second:
//   {"type":"progress","done":94,"total":522,"share":0.03}
//   {"type":"tools","hermesc":"/w/app/…","compose":"/w/app/…","versions":{"metro":"0.84.6",…}}
//   {"type":"done","modules":522,"assets":3,"asked":522,"shared":521}
//   {"type":"error","name":"BUNDLE_SYNTAX","text":"…","file":"src/App.tsx","line":3,"column":7}
// `asked` and `shared`: transforms looked up in the cache, and found in the shared layer. After an error
// line the exit code is 1; the first error line counts.
import fs from 'node:fs';
import path from 'node:path';

import {orderTake, preload} from './ahead.mjs';
import {assetsCount} from './assets.mjs';
import {cacheSet} from './cache.mjs';
import {entryOf} from './entry.mjs';
import {expoBundle} from './expo.mjs';
import {describe, textOf} from './failure.mjs';
import {nativeBundle} from './native.mjs';
import {nodeMissed, toolsOf} from './tools.mjs';
import {traceBegin} from './trace.mjs';

const PROGRESS_MS = 200;
const TOTAL_LEAST = 100;

function say(line) {
  fs.writeSync(3, JSON.stringify(line) + '\n');
}

// Metro's total grows while it finds the graph (1/1, 94/221, 522/522), so the raw share is wrong at first
// and falls back now and then. Metro's own terminal answers with the square of it and a running maximum;
// a total below a hundred is not believed.
function progressReporter(modules) {
  let best = 0;
  let lastAt = 0;
  return (done, total) => {
    modules.total = total;
    const share = Math.min(1, (done / Math.max(total, TOTAL_LEAST)) ** 2);
    const now = Date.now();
    if (share <= best || now - lastAt < PROGRESS_MS) {
      return;
    }
    best = share;
    lastAt = now;
    say({type: 'progress', done, total, share});
  };
}

async function build([top, platform, out, name, folder, entryGiven], traceGiven) {
  const root = path.join(top, folder || '.');
  process.chdir(root);
  process.env.NODE_ENV = 'production';
  const traceEnd = traceGiven ?? traceBegin(top, root);
  const tools = toolsOf(root);
  say({type: 'tools', hermesc: tools.hermesc.file, compose: tools.compose, versions: tools.versions});
  const missed = nodeMissed(tools);
  if (missed) {
    console.log(missed);
  }
  const entry = entryOf(root, platform, {entry: entryGiven, expoCli: tools.expoCli});
  const modules = {total: 0};
  let cache = null;
  const prepare = config => {
    cache = cacheSet(config, {top, entry, platform, traceEnd});
  };
  const bundle = tools.expoCli ? expoBundle : nativeBundle;
  await bundle({root, top, platform, entry, out, name, tools, prepare, onProgress: progressReporter(modules)});
  await cache?.settle();
  if (cache?.lower) {
    console.log(`transforms: ${cache.found} of ${cache.asked} from the shared layer`);
  }
  say({
    type: 'done',
    modules: modules.total,
    assets: assetsCount(path.join(out, 'assets')),
    asked: cache?.asked,
    shared: cache?.found,
  });
}

// The watch over files begins before anything is loaded, here as in any build: what keeps a function of
// fs for itself keeps a watched one.
async function buildAhead(top) {
  const traceEnd = traceBegin(top, top);
  preload(top);
  const args = orderTake();
  if (args) {
    await build([top, ...args], traceEnd);
  }
}

const [first, ...rest] = process.argv.slice(2);
const isAhead = first === '--ahead';

try {
  await (isAhead ? buildAhead(rest[0]) : build([first, ...rest]));
  process.exit(0); // the app's configuration may have left timers or watchers behind
} catch (error) {
  const top = isAhead ? rest[0] : first;
  say(describe(error, top));
  process.stderr.write(`${textOf(error, top)}\n`);
  process.exit(1);
}
