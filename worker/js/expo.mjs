// expo.mjs: bundles an Expo app as `expo export:embed` does, with the app's own @expo/cli.
//
// Expo's Metro configuration alone would not do: the command adds a resolver, environment files, the
// router's root and a serializer of its own. It takes no store, reports to a terminal and prints
// its errors, so its function is called here instead of its command line, and Metro's server is met where
// it is made: there the configuration is whole and nothing was read from a cache yet.
import fs from 'node:fs';
import Module from 'node:module';
import path from 'node:path';

import {BuildError} from './failure.mjs';
import {loadFile} from './tools.mjs';

const EMBED = 'build/src/export/embed/exportEmbedAsync.js';
const SERVER = /[\\/]metro[\\/]src[\\/]Server\.js$/;

// Calls `meet(config)` with the configuration of every Metro server that is about to be made.
function meetServers(meet) {
  const load = Module._load;
  const derived = new Map();

  function derive(Server) {
    if (!derived.has(Server)) {
      derived.set(Server, class extends Server {
        constructor(config, ...rest) {
          meet(config);
          super(config, ...rest);
        }
      });
    }
    return derived.get(Server);
  }
  Module._load = function (request, parent, ...rest) {
    const loaded = Reflect.apply(load, this, [request, parent, ...rest]);
    if (!/(?:^|[\\/])Server(?:\.js)?$/.test(request) || !SERVER.test(Module._resolveFilename(request, parent))) {
      return loaded;
    }
    // A module's hidden marks (__esModule) stay visible through the prototype.
    return loaded.default ? Object.create(loaded, {default: {value: derive(loaded.default)}}) : derive(loaded);
  };
}

function reporterOf(given, onProgress) {
  return {
    update(event) {
      if (event.type === 'bundle_transform_progressed') {
        onProgress(event.transformedFileCount, event.totalFileCount);
      }
      given?.update(event);
    },
  };
}

export async function expoBundle({root, platform, entry, out, name, tools, prepare, onProgress}) {
  Object.assign(process.env, {EXPO_NO_TELEMETRY: '1', EXPO_OFFLINE: '1'});
  let failure = null;
  let isMet = false;
  meetServers(config => {
    isMet = true;
    config.maxWorkers = 1;
    config.reporter = reporterOf(config.reporter, onProgress);
    try {
      prepare(config);
    } catch (error) {
      failure = error;
    }
  });
  const {exportEmbedAsync} = loadFile(tools.expoCli, EMBED);
  await exportEmbedAsync(root, {
    platform,
    entryFile: path.resolve(root, entry),
    bundleOutput: path.join(out, name),
    bundleEncoding: 'utf8',
    sourcemapOutput: path.join(out, `${name}.map`),
    sourcemapUseAbsolutePath: false,
    assetsDest: path.join(out, 'assets'),
    dev: false,
    minify: false,
    bytecode: false,
    resetCache: false,
    maxWorkers: 1,
    skipServer: true,
  }).catch(error => {
    throw isMet || !/metro/i.test(error?.stack ?? '') ? error : new BuildError('METRO_CONFIG', error);
  });
  if (failure) {
    throw failure;
  }
  // The bundle names its map by the file that the composed one will have.
  fs.renameSync(path.join(out, `${name}.map`), path.join(out, `${name}.packager.map`));
}
