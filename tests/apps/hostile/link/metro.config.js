// Lays a link where the agent will look for the composed source map.
const fs = require('fs');
const {getDefaultConfig} = require('@react-native/metro-config');

process.on('exit', () => {
  fs.symlinkSync('/w/out/elsewhere', '/w/out/index.android.bundle.map');
});
module.exports = getDefaultConfig(__dirname);
