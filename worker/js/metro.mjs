// metro.mjs: bundles one React Native app with the app's own Metro. Runs inside the sandbox.
//
//   node metro.mjs APP_ROOT PLATFORM OUT_DIR BUNDLE_NAME      (fd 3: JSON lines for the agent)
//
// Metro's JavaScript API is used instead of the React Native command line, because that one prints
// neither progress nor errors that a program can read. Everything is resolved from the app's
// node_modules: the versions of Metro, Babel and Hermes must fit the app's React Native. The bundle is
// not minified: hermesc compiles it next, and React Native's own release builds do the same.
//
// Lines on fd 3, at most five progress lines a second:
//   {"type":"progress","done":94,"total":522,"share":0.03}
//   {"type":"tools","hermesc":"/w/app/…","compose":"/w/app/…"}
//   {"type":"done","modules":522}
//   {"type":"error","name":"BUNDLE_SYNTAX","text":"…","file":"src/App.tsx","line":3,"column":7}
// After an error line the exit code is 1; the first error line counts.
import fs from 'node:fs';
import path from 'node:path';

import {copyAssets} from './assets.mjs';
import {entryOf} from './entry.mjs';
import {BuildError, describe, textOf} from './failure.mjs';
import {appRequire, toolsOf} from './tools.mjs';

const PROGRESS_MS = 200;
const TOTAL_LEAST = 100;

function say(line) {
  fs.writeSync(3, JSON.stringify(line) + '\n');
}

// Metro's total grows while it finds the graph (1/1, 94/221, 522/522), so the raw share is wrong at first
// and falls back now and then. Metro's own terminal answers with the square of it and a running maximum;
// a total below a hundred is not believed.
function progressReporter() {
  let best = 0;
  let lastAt = 0;
  return (done, total) => {
    const share = (done / Math.max(total, TOTAL_LEAST)) ** 2;
    const now = Date.now();
    if (share <= best || now - lastAt < PROGRESS_MS) {
      return;
    }
    best = share;
    lastAt = now;
    say({type: 'progress', done, total, share});
  };
}

// The app's configuration is the app's code: whatever it throws is a METRO_CONFIG error.
async function configOf(tools, root) {
  try {
    const given = await tools.metroConfig.loadConfig({cwd: root, projectRoot: root}, await defaultsOf(tools, root));
    return {
      ...given,
      projectRoot: root,
      maxWorkers: 1,
      stickyWorkers: false,
      resetCache: false,
      reporter: {update() {}},
      watcher: {...given.watcher, healthCheck: {...given.watcher?.healthCheck, enabled: false}},
    };
  } catch (error) {
    throw new BuildError('METRO_CONFIG', error);
  }
}

// An app without a metro.config.js of its own gets React Native's defaults instead of bare Metro's.
async function defaultsOf(tools, root) {
  return tools.reactNativeMetroConfig ? tools.reactNativeMetroConfig.getDefaultConfig(root) : {};
}

function write(dir, name, text) {
  if (typeof text !== 'string' || text.length === 0) {
    throw new BuildError('BUNDLE_FAILED', new Error(`Metro made no ${name}`));
  }
  fs.writeFileSync(path.join(dir, name), text);
}

async function main([root, platform, out, name]) {
  process.chdir(root);
  process.env.NODE_ENV = 'production';
  const tools = toolsOf(appRequire(root));
  say({type: 'tools', hermesc: tools.hermesc, compose: tools.compose});
  const entry = entryOf(root, platform);
  const config = await configOf(tools, root);
  let modules = 0;
  const report = progressReporter();
  const result = await tools.metro.runBuild(config, {
    entry,
    platform,
    dev: false,
    minify: false,
    assets: true,
    sourceMap: true,
    sourceMapUrl: `${name}.map`,
    onProgress(done, total) {
      modules = total;
      report(done, total);
    },
  });
  write(out, name, result.code);
  write(out, `${name}.packager.map`, result.map);
  const assets = copyAssets(result.assets ?? [], platform, path.join(out, 'assets'));
  say({type: 'done', modules, assets});
}

try {
  await main(process.argv.slice(2));
  process.exit(0); // the app's configuration may have left timers or watchers behind
} catch (error) {
  say(describe(error, process.argv[2]));
  process.stderr.write(`${textOf(error, process.argv[2])}\n`);
  process.exit(1);
}
