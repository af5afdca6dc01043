const path = require('node:path');

const {getDefaultConfig, mergeConfig} = require('@react-native/metro-config');

// Metro looks at the app's own folder alone unless it is told of the workspace.
module.exports = mergeConfig(getDefaultConfig(__dirname), {watchFolders: [path.resolve(__dirname, '../..')]});
