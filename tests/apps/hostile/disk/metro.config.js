// Fills the workspace, as a build that writes without end would.
const fs = require('fs');

const block = Buffer.alloc(1 << 20, 1);
const fd = fs.openSync('/w/tmp/fill', 'w');
for (;;) {
  fs.writeSync(fd, block);
}
