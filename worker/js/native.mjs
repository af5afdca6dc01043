// native.mjs: bundles a React Native app with the app's own Metro, as React Native's command line does.
//
// Metro's JavaScript API is used instead of that command line, because it prints neither progress nor
// errors that a program can read. The bundle is not minified: hermesc compiles it next, and React
// Native's own release builds do the same.
import fs from 'node:fs';
import path from 'node:path';

import {copyAssets} from './assets.mjs';
import {BuildError} from './failure.mjs';
import {metroLoad} from './tools.mjs';

// The app's configuration is the app's code: whatever it throws is a METRO_CONFIG error.
async function configOf({root, top, platform, metro}) {
  try {
    const given = await metro.metroConfig.loadConfig({cwd: root, projectRoot: root}, defaultsOf(metro, root));
    return {
      ...given,
      projectRoot: root,
      watchFolders: foldersOf(given, root, top),
      maxWorkers: 1,
      stickyWorkers: false,
      resetCache: false,
      reporter: {update() {}},
      resolver: {...given.resolver, platforms: [...new Set([...(given.resolver?.platforms ?? []), platform, 'native'])]},
      watcher: {...given.watcher, healthCheck: {...given.watcher?.healthCheck, enabled: false}},
    };
  } catch (error) {
    throw new BuildError('METRO_CONFIG', error);
  }
}

// An app without a metro.config.js of its own gets React Native's defaults instead of bare Metro's.
function defaultsOf(metro, root) {
  return metro.reactNativeMetroConfig ? metro.reactNativeMetroConfig.getDefaultConfig(root) : {};
}

// Metro reads nothing outside its folders. An app inside a workspace uses what lies beside and above it,
// and React Native's defaults name no folder; a configuration that does is left as it is.
function foldersOf(given, root, top) {
  const folders = given.watchFolders ?? [];
  const isCovered = root === top || folders.some(folder => path.resolve(folder) === top);
  return isCovered ? folders : [...folders, top];
}

// What makes the bundle from the graph. Metro 0.80 hands no assets out of runBuild; newer ones do when
// asked with `withAssets`, and then come in one pass.
function outputInto(result) {
  return {
    async build(server, request, extra) {
      const options = {...server.constructor.DEFAULT_BUNDLE_OPTIONS, ...request};
      const built = await server.build(options, extra);
      result.assets = built.assets ?? (await server.getAssets(options));
      return built;
    },
  };
}

function write(dir, name, text) {
  if (typeof text !== 'string' || text.length === 0) {
    throw new BuildError('BUNDLE_FAILED', new Error(`Metro made no ${name}`));
  }
  fs.writeFileSync(path.join(dir, name), text);
}

export async function nativeBundle({root, top, platform, entry, out, name, tools, prepare, onProgress}) {
  const metro = metroLoad(root, tools);
  const config = await configOf({root, top, platform, metro});
  prepare(config);
  const result = {assets: []};
  const built = await metro.metro.runBuild(config, {
    entry,
    platform,
    dev: false,
    minify: false,
    assets: true,
    sourceMap: true,
    sourceMapUrl: `${name}.map`,
    output: outputInto(result),
    onProgress,
  });
  write(out, name, built.code);
  write(out, `${name}.packager.map`, built.map);
  await copyAssets(result.assets, {platform, to: path.join(out, 'assets'), tools});
}
