exports.banner = name => `Hello from a package of the workspace, ${name}`;
