// assets.mjs: copies the images and other assets of a bundle into the layout that the platform's
// React Native looks them up in. Metro hands out the list only.
//
//   android: drawable-mdpi/assets_wheel.png, drawable-xhdpi/…; what is no drawable goes to raw/
//   ios:     assets/assets/wheel.png, wheel@2x.png, wheel@3x.png; only the scales that iOS has
//
// Which file types are drawables and how names are made differs between versions of React Native, and
// any difference is an image that does not show on the device: so the app's own React Native copies.
// Where its package is laid out otherwise, the rules below do, which are those of AssetSourceResolver.
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

import {folderOf, loadFile} from './tools.mjs';

const SAVE = 'dist/commands/bundle/saveAssets.js';
const ANDROID_FOLDERS = new Map([
  [0.75, 'drawable-ldpi'],
  [1, 'drawable-mdpi'],
  [1.5, 'drawable-hdpi'],
  [2, 'drawable-xhdpi'],
  [3, 'drawable-xxhdpi'],
  [4, 'drawable-xxxhdpi'],
]);
const ANDROID_DRAWABLES = new Set(['gif', 'heic', 'heif', 'jpeg', 'jpg', 'ktx', 'png', 'webp', 'xml']);
const IOS_SCALES = [1, 2, 3];

function androidIdentifier(asset) {
  const folder = asset.httpServerLocation.replace(/^\//, '');
  return `${folder}/${asset.name}`
    .toLowerCase()
    .replace(/\//g, '_')
    .replace(/[^a-z0-9_]/g, '')
    .replace(/^(?:assets|assetsunstable_path)_/, '');
}

function androidPath(asset, scale) {
  const file = `${androidIdentifier(asset)}.${asset.type}`;
  if (!ANDROID_DRAWABLES.has(asset.type)) {
    return path.join('raw', file);
  }
  const folder = ANDROID_FOLDERS.get(scale);
  if (!folder) {
    throw new Error(`Android has no folder for scale ${scale} of asset ${asset.name}.${asset.type}`);
  }
  return path.join(folder, file);
}

function iosPath(asset, scale) {
  const folder = asset.httpServerLocation.slice(1).replace(/\.\.\//g, '_');
  const suffix = scale === 1 ? '' : `@${scale}x`;
  return path.join(folder, `${asset.name}${suffix}.${asset.type}`);
}

// iOS shows its own scales; an asset that has none of them still comes with the nearest larger one.
function iosScales(scales) {
  const own = scales.filter(scale => IOS_SCALES.includes(scale));
  if (own.length > 0 || scales.length === 0) {
    return own;
  }
  return [scales.find(scale => scale > 3) ?? scales[scales.length - 1]];
}

const LAYOUTS = {
  android: {place: androidPath, scales: scales => scales},
  ios: {place: iosPath, scales: iosScales},
};

// By the rules of this file.
export function placeAssets(assets, platform, to) {
  const layout = LAYOUTS[platform];
  for (const asset of assets) {
    const wanted = new Set(layout.scales(asset.scales));
    asset.scales.forEach((scale, i) => {
      if (!wanted.has(scale)) {
        return;
      }
      const target = path.join(to, layout.place(asset, scale));
      fs.mkdirSync(path.dirname(target), {recursive: true});
      fs.copyFileSync(asset.files[i], target);
    });
  }
}

// `to` exists afterwards, also when there are no assets.
export async function copyAssets(assets, {platform, to, tools}) {
  fs.mkdirSync(to, {recursive: true});
  const own = createRequire(path.join(tools.reactNative, 'package.json'));
  const save = loadFile(folderOf(own, ['@react-native/community-cli-plugin']), SAVE);
  if (typeof save?.default === 'function') {
    await save.default(assets, platform, to);
  } else {
    placeAssets(assets, platform, to);
  }
}

export function assetsCount(folder) {
  if (!fs.existsSync(folder)) {
    fs.mkdirSync(folder);
  }
  return fs.readdirSync(folder, {recursive: true, withFileTypes: true}).filter(e => e.isFile()).length;
}
