// ahead.mjs: a process that is ready before its job is known.
//
// What it loads comes from node_modules alone, which package managers made without running any of it, and
// nothing of an app is there yet. Then it waits, with its event loop standing still, for one JSON array on
// fd 6: [PLATFORM,OUT_DIR,BUNDLE_NAME,ROOT,ENTRY]. It takes one and is used up.
import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

import {appRequire, folderOf, metroLoad, metroOf} from './tools.mjs';

const ORDER_FD = 6;
const SAMPLE = `
import * as React from 'react';
type Props = {name?: string};
export default class Sample extends React.Component<Props> {
  state = {n: 0, ...this.props};
  async read({name = 'a', ...rest}: Props) {
    for (const one of await Promise.all([name])) this.state.n += one?.length ?? 0;
    return \`\${name} \${rest}\`;
  }
  render = () => <React.Fragment key="k">{this.state.n}</React.Fragment>;
}
`;

// A first transform takes many times as long as a second one: all of babel is compiled on the way. Nothing may
// look for the app's own package.json or browserslist here: that they are not there yet would be remembered.
function transformOnce(root, require) {
  const below = createRequire(path.join(root, 'node_modules', 'ahead.js'));
  require('@babel/core').transformSync(SAMPLE, {
    cwd: root,
    root,
    filename: path.join(root, 'sample.tsx'),
    configFile: false,
    babelrc: false,
    browserslistConfigFile: false,
    ast: true,
    presets: [below.resolve('@react-native/babel-preset')],
    caller: {name: 'metro', bundler: 'metro', platform: 'android'},
    envName: 'production',
  });
}

// Everything of a React Native app that does not depend on the app. Nothing here may fail: what is missing
// is met again, and named, when the app is there. Expo's command line must load Metro itself (expo.mjs).
export function preload(root) {
  const require = appRequire(root);
  if (folderOf(require, ['expo'])) {
    return;
  }
  try {
    const {reactNativeMetroConfig} = metroLoad(root, {metro: metroOf(require, false)});
    const {transformer, transformerPath} = reactNativeMetroConfig.getDefaultConfig(root);
    const beside = createRequire(transformer.babelTransformerPath);
    beside(transformerPath);
    beside(transformer.babelTransformerPath);
    transformOnce(root, beside);
  } catch {
    // see above
  }
}

// The arguments of the build; null: nothing came, the process is not wanted.
export function orderTake() {
  const text = fs.readFileSync(ORDER_FD, 'utf8');
  return text ? JSON.parse(text) : null;
}
