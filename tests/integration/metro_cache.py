#!/usr/bin/env python3
"""The caches of transforms: what must change the bundle changes it, although a layer with the old one is there.

Metro's own key knows a module's text and the transformer's options. Everything else that decides what a module
becomes (a plugin, what the plugin requires or reads, a variable, the platform) is the driver's to know. Here the
layer is filled by one build; then one thing after the other changes, each build gets that layer, and its bundle
must say the new thing. What changes nothing must come from the layer, or the cache would be of no use. And no build
may leave a trace in the layer.

    metro_cache.py DRIVER SAMPLE_APP        (the app's packages are installed by npm)
"""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

DRIVER, SAMPLE = sys.argv[1], sys.argv[2]
NAMES = {"android": "index.android.bundle", "ios": "main.jsbundle"}
SOURCES = {
    # Few modules: without React Native's own a build takes a second.
    "metro.config.js": """
const path = require('path');
module.exports = {
  serializer: {getModulesRunBeforeMainModule: () => [], getPolyfills: () => []},
  transformer: {babelTransformerPath: path.join(__dirname, 'tools/transformer.js'), publicPath: '/one'},
};
""",
    "babel.config.js": """
module.exports = {presets: [], plugins: [['./tools/plugin.js', {option: 'option-one'}]]};
""",
    # The words of the bundle: each comes from another place.
    "tools/plugin.js": """
const fs = require('fs');
const path = require('path');
module.exports = ({types: t}, options) => {
  const dotenv = fs.existsSync('.env') ? fs.readFileSync('.env', 'utf8').trim() : 'no-dotenv';
  const words = {
    OPTION: options.option,
    PLUGIN: 'plugin-one',
    HELPER: require('./helper.js'),
    READ: fs.readFileSync(path.join(__dirname, 'words.txt'), 'utf8').trim(),
    DOTENV: dotenv,
    VARIABLE: process.env.GREETING || 'no-variable',
  };
  return {visitor: {Identifier(p) {
    words.LATER ??= require('./later.js');
    const word = p.isReferencedIdentifier() && Object.hasOwn(words, p.node.name) && words[p.node.name];
    if (word) p.replaceWith(t.stringLiteral(word));
  }}};
};
""",
    "tools/helper.js": "module.exports = 'helper-one';\n",
    "tools/later.js": "module.exports = 'later-one';\n",
    "tools/words.txt": "words-one\n",
    "tools/transformer.js": """
const babel = require('@babel/core');
const PREFIX = 'transformer-one';
module.exports.transform = ({src, filename, options}) => ({
  ast: babel.transformSync(src.replace('TRANSFORMER', `'${PREFIX}'`), {
    filename, ast: true, code: false, cwd: options.projectRoot, sourceType: 'unambiguous',
    caller: {name: 'metro', bundler: 'metro', platform: options.platform},
  }).ast,
});
""",
    "index.js": "require('./words'); require('./where'); console.log('index-one');\n",
    "words.js": "console.log(OPTION, PLUGIN, HELPER, LATER, READ, DOTENV, VARIABLE, TRANSFORMER);\n",
    "where.android.js": "console.log('on-android');\n",
    "where.ios.js": "console.log('on-ios');\n",
}


def check(condition, text):
    if not condition:
        sys.exit(f"FAILED: {text}")


class App:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.app, self.layer = self.folder / "app", self.folder / "layer"
        self.app.mkdir()
        self.layer.mkdir()
        self.layer_android = self.layer / "android"
        for name in ("package.json", "package-lock.json"):
            shutil.copy(f"{SAMPLE}/{name}", self.app)
        began = time.monotonic()
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=self.app,
                       check=True)
        print(f"npm ci: {time.monotonic() - began:.1f} s", flush=True)
        for name, text in SOURCES.items():
            self.write(name, text)

    def write(self, name, text):
        (self.app / name).parent.mkdir(exist_ok=True)
        (self.app / name).write_text(text)

    def build(self, upper, platform="android", layer=None, **env):
        """(the bundle, the driver's last line); fails the test when the build does."""
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        upper.mkdir(exist_ok=True)
        command = 'exec node "$@" 3>"$LINES"'
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder), "CI": "1",
               "ROTA_CACHE": str(upper), "ROTA_LAYER": str(layer or self.folder / "none"),
               "LINES": str(self.folder / "lines"), **env}
        done = subprocess.run(["sh", "-c", command, "sh", DRIVER, self.app, platform, out, NAMES[platform]], env=env,
                              capture_output=True, text=True)
        check(done.returncode == 0, f"the build ended with {done.returncode}: {done.stdout} {done.stderr}")
        last = json.loads((self.folder / "lines").read_text().splitlines()[-1])
        return (out / NAMES[platform]).read_text(), last

    def listing(self):
        return {str(p): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
                for p in sorted(self.layer.rglob("*")) if p.is_file()}


# name, what is written over, other settings of the build, what the bundle must say, whether the layer may serve
# what did not change.
CASES = [
    ("nothing", {}, {}, "index-one", "all"),
    ("one line of source", {"index.js": SOURCES["index.js"].replace("index-one", "index-two")}, {}, "index-two",
     "but one"),
    ("an option in babel.config.js",
     {"babel.config.js": SOURCES["babel.config.js"].replace("option-one", "option-two")}, {}, "option-two", "none"),
    ("a local plugin", {"tools/plugin.js": SOURCES["tools/plugin.js"].replace("plugin-one", "plugin-two")}, {},
     "plugin-two", "none"),
    ("what the plugin requires", {"tools/helper.js": "module.exports = 'helper-two';\n"}, {}, "helper-two", "none"),
    ("what the plugin requires once it runs", {"tools/later.js": "module.exports = 'later-two';\n"}, {},
     "later-two", "none"),
    ("what the plugin reads", {"tools/words.txt": "words-two\n"}, {}, "words-two", "none"),
    ("a new .env", {".env": "dotenv-two\n"}, {}, "dotenv-two", "none"),
    ("a variable", {}, {"GREETING": "variable-two"}, "variable-two", "none"),
    ("the babel transformer",
     {"tools/transformer.js": SOURCES["tools/transformer.js"].replace("former-one", "former-two")}, {},
     "transformer-two", "none"),
    ("an option of the transformer in metro.config.js",
     {"metro.config.js": SOURCES["metro.config.js"].replace("'/one'", "'/two'")}, {}, "index-one", "none"),
    ("the platform", {}, {"platform": "ios"}, "on-ios", "none"),
    ("tsconfig.json", {"tsconfig.json": "{}"}, {}, "index-one", "none"),
    ("the lockfile", {"package-lock.json": "{}"}, {}, "index-one", "none"),
    ("a configuration that imports ES modules",
     {"metro.config.js": SOURCES["metro.config.js"] + "exports.later = () => import('./tools/x.mjs');\n"}, {},
     "index-one", "none"),
    ("what a plugin out of node_modules reads once it runs", {"words.config.js": "module.exports = 'two';\n"}, {},
     "index-one", "none"),
    ("a plugin beside the configuration, which may look at anything",
     {"plugin.js": "module.exports = () => ({visitor: {}}); exports.later = () => require('./other');\n",
      "babel.config.js": SOURCES["babel.config.js"].replace("'./tools/plugin", "'./plugin.js'], ['./tools/plugin")},
     {}, "index-one", "none"),
    ("a plugin written into the configuration",
     {"babel.config.js": SOURCES["babel.config.js"] + "// its visitor requires './later'\n"}, {}, "index-one",
     "none"),
]


def case_run(app, number, name, changed, settings, word, served):
    before = {file: (app.app / file).read_text() if (app.app / file).exists() else None for file in changed}
    for file, text in changed.items():
        app.write(file, text)
    bundle, last = app.build(app.folder / f"upper-{number}", layer=app.layer, **settings)
    want = {"all": last["asked"], "but one": last["asked"] - 1, "none": 0}[served]
    print(f"changed: {name}: {last['shared']} of {last['asked']} transforms from the layer; the bundle says {word}:"
          f" {'yes' if word in bundle else 'NO'}")
    check(word in bundle, f"{name}: the bundle does not say {word}: an old transform was used")
    check(last["shared"] == want, f"{name}: {last['shared']} transforms from the layer, not {want}")
    for file, text in before.items():
        (app.app / file).unlink() if text is None else app.write(file, text)
    return bundle


def main():
    with tempfile.TemporaryDirectory() as folder:
        app = App(folder)
        first, last = app.build(app.layer_android)
        words = ("option-one", "plugin-one", "helper-one", "later-one", "words-one", "no-dotenv", "no-variable",
                 "transformer-one", "index-one", "on-android")
        check(all(w in first for w in words), f"the first bundle: {first}")
        check(last["asked"] >= 4 and last["shared"] == 0, f"the first build: {last}")
        listing = app.listing()
        check(len(listing) >= 4, f"the layer has {len(listing)} files")
        bundles = [case_run(app, n, *case) for n, case in enumerate(CASES)]
        check(bundles[0] == first, "the same source gave another bundle from the layer")
        check(app.listing() == listing, "a build changed the layer")
        print(f"{len(CASES)} changes, {len(listing)} entries of the layer, none of them touched")


main()
