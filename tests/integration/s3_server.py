"""s3_server.py: a real S3-compatible service for tests: Ceph's gateway over one monitor and one store in memory.

    with Gateway() as s3:
        s3.make_bucket("rota-test")
        s3.url                          # http://127.0.0.1:PORT
        s3.stop_gateway(); s3.start_gateway()   # the service dies and comes back; what it stored stays

It checks signatures, the hash of each body and the age of presigned URLs. Everything listens on loopback, lives in a
temporary folder and in memory, and is ended by pid. `scripts/setup --s3` installs it.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

PROGRAMS = ["ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin"]
ID, SECRET = "ROTATESTKEY", "rota-test-secret-0123456789"
CONF = """[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{mon}
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = {dir}/keyring
run_dir = {dir}/run
admin_socket = {dir}/run/$name.asok
log_file = {dir}/$name.log
pid_file = {dir}/run/$name.pid
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
ms_bind_ipv6 = false
osd_objectstore = memstore
memstore_device_bytes = 2147483648
[mon.a]
mon_data = {dir}/mon
public_addr = v2:127.0.0.1:{mon}
[osd.0]
osd_data = {dir}/osd
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
osd_class_dir = {classes}
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_run_sync_thread = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_data = {dir}/rgw
rgw_dns_name = 127.0.0.1
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def classes_dir():
    for name in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"):
        if os.path.isdir(f"{name}/rados-classes"):
            return f"{name}/rados-classes"
    return "/usr/lib/rados-classes"


class Gateway:
    def __init__(self):
        missing = [p for p in PROGRAMS if not shutil.which(p)]
        if missing:
            sys.exit(f"no {', '.join(missing)}: run scripts/setup --s3")
        self.dir = tempfile.mkdtemp(prefix="rota-s3-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.id, self.secret = ID, SECRET
        self.conf = f"{self.dir}/ceph.conf"
        self.children = {}

    # ---- processes ----

    def run(self, *argv, timeout=30):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout

    def spawn(self, name, *argv):
        with open(f"{self.dir}/{name}.out", "ab") as out:
            self.children[name] = subprocess.Popen([*argv, "-c", self.conf, "-f"], stdout=out, stderr=out)

    def wait(self, what, truth, name, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if truth():
                return
            if self.children[name].poll() is not None:
                raise RuntimeError(f"{name} ended while the test waited for {what}")
            time.sleep(0.1)
        raise RuntimeError(f"waited {seconds} s for {what}")

    def ceph(self, *argv):
        try:
            return self.run("ceph", "-c", self.conf, "--connect-timeout", "5", *argv)
        except (RuntimeError, subprocess.TimeoutExpired):
            return ""

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for name in ("rgw", "osd", "mon"):
            child = self.children.get(name)
            if child and child.poll() is None:
                child.send_signal(signal.SIGKILL)
                child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        mon, fsid = free_port(), str(uuid.uuid4())
        for name in ("mon", "osd", "run"):
            os.mkdir(f"{self.dir}/{name}")
        with open(self.conf, "w") as f:
            f.write(CONF.format(dir=self.dir, mon=mon, port=self.port, fsid=fsid, classes=classes_dir()))
        keyring, monmap = f"{self.dir}/keyring", f"{self.dir}/monmap"
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{mon}]", monmap)
        self.run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        for name in ("client.admin", "client.rgw", "osd.0"):
            caps = [word for part in ("mon", "osd", "mgr") for word in ("--cap", part, "allow *")]
            self.run("ceph-authtool", keyring, "--gen-key", "-n", name, *caps)
        self.run("ceph-mon", "-c", self.conf, "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self.spawn("mon", "ceph-mon", "-i", "a")
        self.wait("the monitor", lambda: self.ceph("-s"), "mon")
        osd = str(uuid.uuid4())
        self.run("ceph", "-c", self.conf, "osd", "new", osd)
        self.run("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.spawn("osd", "ceph-osd", "-i", "0")
        self.wait("the store", lambda: "1 up" in self.ceph("osd", "stat"), "osd")
        self.start_gateway()
        self.run("radosgw-admin", "-c", self.conf, "-n", "client.admin", "user", "create", "--uid=rota",
                 "--display-name=rota", f"--access-key={ID}", f"--secret-key={SECRET}", timeout=60)

    def answers(self):
        try:
            urllib.request.urlopen(self.url, timeout=2).close()
            return True
        except OSError as e:
            return getattr(e, "code", None) is not None

    def start_gateway(self):
        self.spawn("rgw", "radosgw", "-n", "client.rgw")
        self.wait("the gateway", self.answers, "rgw")

    def stop_gateway(self):
        child = self.children["rgw"]
        child.send_signal(signal.SIGKILL)
        child.wait()

    # ---- what tests want ----

    def env(self):
        return {**os.environ, "ROTA_S3_ID": self.id, "ROTA_S3_SECRET": self.secret}

    def credentials(self, path):
        with open(path, "w") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(f"{self.id}\n{self.secret}\n")
        return path
