"""remote.py: remote.mjs with a certificate of its own, and what a worker must be told to trust it.

    with Remote() as remote:
        kit.worker("--allow-registry", f"127.0.0.1:{remote.registry}", env=remote.env)
"""
import json
import os
import shutil
import subprocess
import tempfile
import threading

from authority import Authority

HERE = os.path.dirname(os.path.abspath(__file__))


def run(argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **more).stdout


class Remote:
    token = "npm_0123456789abcdefghijklmnopqrstuvwxyz"

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="rota-remote-")
        self.requests = []
        self.server = None

    def __enter__(self):
        self._certificate()
        os.mkdir(f"{self.dir}/git")
        node = os.environ.get("ROTA_NODE") or "node"
        self.server = subprocess.Popen([node, f"{HERE}/remote.mjs", self.key, self.cert, f"{self.dir}/git"],
                                       stdout=subprocess.PIPE, text=True, env={**os.environ, "TOKEN": self.token})
        ports = json.loads(self.server.stdout.readline())
        for name in ("registry", "main", "clear", "upstream", "git", "plain"):
            setattr(self, name, ports[name])
        self.integrity = ports["integrity"]
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, kind, value, trace):
        self.server.kill()
        self.server.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _listen(self):
        for line in self.server.stdout:
            self.requests.append(json.loads(line))

    def _certificate(self):
        own = Authority(self.dir)
        self.cert, self.key = own.issue("cert")
        own.trusted_by_machine(f"{self.dir}/trusted")

    @property
    def env(self):
        """An operator whose authorities include the one of this test, wherever tools look for them."""
        trusted = f"{self.dir}/trusted"
        return {"NODE_EXTRA_CA_CERTS": trusted, "NPM_CONFIG_CAFILE": trusted, "GIT_SSL_CAINFO": trusted,
                "NPM_CONFIG_REGISTRY": f"https://127.0.0.1:{self.main}/"}

    # ---- repositories ----

    def repository(self, name, files):
        """A bare repository served as /NAME; returns a function that commits `files` to it and gives the commit."""
        bare, tree = f"{self.dir}/git/{name}", f"{self.dir}/tree-{name.replace('/', '-')}"
        run(["git", "init", "-q", "--bare", bare])
        run(["git", "init", "-q", "-b", "main", tree])
        env = {**os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a",
               "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_CONFIG_NOSYSTEM": "1"}

        def commit(more, ref="main"):
            for path, text in more.items():
                os.makedirs(os.path.dirname(f"{tree}/{path}"), exist_ok=True)
                with open(f"{tree}/{path}", "w") as f:
                    f.write(text)
            run(["git", "-C", tree, "add", "-A", "-f"])
            run(["git", "-C", tree, "commit", "-q", "--allow-empty", "-m", "x"], env=env)
            run(["git", "-C", tree, "push", "-q", "-f", bare, f"HEAD:refs/heads/{ref}"])
            return run(["git", "-C", tree, "rev-parse", "HEAD"]).strip()

        def tag(text):
            run(["git", "-C", tree, "tag", "-a", "-f", "-m", "x", text], env=env)
            run(["git", "-C", tree, "push", "-q", "-f", bare, f"refs/tags/{text}"])

        commit.tag = tag
        commit(files)
        return commit
