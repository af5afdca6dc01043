"""authority.py: a certificate authority of a test's own, and whom it vouches for.

    own = Authority(folder)
    own.issue("server")                       # FOLDER/server.key and FOLDER/server for 127.0.0.1 and localhost
    own.trusted_by_machine(f"{folder}/all")   # what this machine trusts, and this authority
"""
import os
import subprocess

MACHINE = "/etc/ssl/certs/ca-certificates.crt"
HERE = "IP:127.0.0.1,DNS:localhost"


def run(*argv):
    subprocess.run(["openssl", *argv], check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name="ca"):
        self.dir, self.key, self.path = folder, f"{folder}/{name}.key", f"{folder}/{name}"
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN=rota test authority {name}",
            "-keyout", self.key, "-out", self.path)

    def issue(self, name, names=HERE, days=2):
        """A key and a certificate for `names`; one of negative days has ended. The paths: certificate, key."""
        at = f"{self.dir}/{name}"
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", f"{at}.key", "-out", f"{at}.request")
        with open(f"{at}.names", "w") as f:
            f.write(f"subjectAltName={names}\n")
        run("x509", "-req", "-in", f"{at}.request", "-CA", self.path, "-CAkey", self.key, "-CAcreateserial",
            "-days", str(days), "-extfile", f"{at}.names", "-out", at)
        return at, f"{at}.key"

    def trusted_by_machine(self, to):
        with open(to, "w") as out:
            for path in sorted({MACHINE, os.environ.get("NODE_EXTRA_CA_CERTS", MACHINE), self.path}):
                if os.path.exists(path):
                    with open(path) as f:
                        out.write(f.read() + "\n")
        return to
