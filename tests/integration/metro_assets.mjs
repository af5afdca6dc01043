// metro_assets.mjs: an image that lies elsewhere than React Native looks is an image that does not show.
//
// The driver lets the app's own React Native copy the assets, and has rules of its own for where that is laid
// out otherwise. Here both copy the same assets, with odd names, odd scales and from beside the app's folder,
// for both platforms and two versions of React Native: the folders must be the same, but for keep.xml, which
// React Native writes for Android's shrinker.
//
//   node metro_assets.mjs ASSETS_MODULE
import assert from 'node:assert';
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const {copyAssets, placeAssets, assetsCount} = await import(pathToFileURL(path.resolve(process.argv[2])));
const VERSIONS = ['0.86.3', '0.88.1'];
const place = fs.mkdtempSync(path.join(os.tmpdir(), 'rota-assets-'));

function asset(name, type, location, scales) {
  const files = scales.map(scale => path.join(place, `${name}-${scale}.${type}`));
  files.forEach((file, i) => fs.writeFileSync(file, `${name} ${type} ${scales[i]}`));
  return {name, type, httpServerLocation: location, scales, files};
}

const ASSETS = [
  asset('wheel', 'png', '/assets/assets', [1, 2, 3]),
  asset('Über-Wheel (old)', 'png', '/assets/src/Some Folder', [1]),
  asset('large', 'jpg', '/assets/img', [1.5, 4]),
  asset('largest', 'webp', '/assets/img', [4]),
  asset('badge', 'png', '/assets/../../packages/shared/img', [1, 2]),
  asset('close', 'png', '/assets/node_modules/@x/elements/lib', [1, 3]),
  asset('Serif', 'ttf', '/assets/assets/fonts', [1]),
  asset('tune', 'mp3', '/assets/.', [1]),
  asset('photo', 'heic', '/assets/img', [1]),
  asset('line', 'svg', '/assets/img', [1]),
];

function reactNative(version) {
  const folder = path.join(place, version);
  const own = path.join(folder, 'node_modules/react-native');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), '{"private":true}');
  execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps',
    `@react-native/community-cli-plugin@${version}`], {cwd: folder, stdio: 'inherit'});
  fs.mkdirSync(own, {recursive: true});
  fs.writeFileSync(path.join(own, 'package.json'), `{"name":"react-native","version":"${version}"}`);
  return own;
}

function listing(folder) {
  return fs.readdirSync(folder, {recursive: true, withFileTypes: true}).filter(e => e.isFile())
    .map(e => path.join(e.parentPath ?? e.path, e.name)).filter(file => !file.endsWith('keep.xml'))
    .map(file => `${path.relative(folder, file)}: ${fs.readFileSync(file, 'utf8')}`).sort();
}

async function compare(version, tools, platform) {
  const theirs = path.join(place, `theirs-${version}-${platform}`);
  const ours = path.join(place, `ours-${version}-${platform}`);
  await copyAssets(ASSETS, {platform, to: theirs, tools});
  fs.mkdirSync(ours);
  placeAssets(ASSETS, platform, ours);
  assert.deepEqual(listing(ours), listing(theirs), `react-native ${version}, ${platform}`);
  assert.ok(listing(ours).length >= ASSETS.length);
  assert.ok(assetsCount(theirs) - listing(theirs).length === (platform === 'android' ? 1 : 0), 'keep.xml');
  console.log(`react-native ${version}, ${platform}: ${listing(ours).length} files at the same places`);
}

try {
  for (const version of VERSIONS) {
    const tools = {reactNative: reactNative(version)};
    for (const platform of ['android', 'ios']) {
      await compare(version, tools, platform);
    }
  }
} finally {
  fs.rmSync(place, {recursive: true, force: true});
}
