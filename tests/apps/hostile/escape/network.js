// Stands where the package manager would: starts the program that tries to reach what it must not.
const {spawnSync} = require('child_process');

const done = spawnSync('/usr/bin/python3', ['/w/app/network.py'], {stdio: ['ignore', 1, 2, 3]});
process.exit(done.signal ? 99 : done.status);
