exports.greeting = name => `Words from a package of the workspace, ${name}`;
