// Says on the agent's own channel that the machine is at fault, so that the build would be tried again.
const fs = require('fs');

fs.writeSync(3, '{"type":"error","name":"SANDBOX_FAILED","text":"\\u001b[31mnot my fault\\u0007"}\n');
fs.writeSync(3, '{"type":"done","modules":1,"assets":0}\n');
fs.writeSync(3, '{"type":"tools","hermesc":"/usr/bin/../bin/true","compose":"/etc/passwd"}\n');
fs.writeSync(3, 'x'.repeat(100000) + '\n[[[[\n{"type":7}\n\n');
process.exit(1);
