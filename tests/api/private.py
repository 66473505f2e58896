# SPDX-License-Identifier: Apache-2.0
"""A pool and an nginx of a test's own beside the running stack: the same
programs, database and configuration, other sockets and ports. So they can be
killed, reloaded and limited without disturbing anybody."""

import contextlib
import http.client
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

DEADLINE_S = 60


def wait_for(what, condition, seconds=DEADLINE_S):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        time.sleep(0.01)
    return value


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_folder(env):
    moved = env.var / "run.path"
    return pathlib.Path(moved.read_text().strip()) if moved.exists() \
        else env.var / "run"


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def children(pid):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return sorted(found)


class Pool:
    """cardstockd on a socket of its own."""

    def __init__(self, env, folder, workers=2, config=""):
        master = int((run_folder(env) / "cardstockd.pid").read_text())
        self.program = pathlib.Path(
            f"/proc/{master}/cmdline").read_text().split("\0")[0]
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "api.sock"
        self.config = self.folder / "cardstock.conf"
        self.log = self.folder / "cardstockd.log"
        self.workers = workers
        self.process = None
        original = (env.var / "cardstock.conf").read_text()
        kept = [line for line in original.splitlines()
                if not re.match(r"\s*(listen|workers|worker_requests|"
                                r"log_target)\s*=", line)]
        self.configured = "\n".join(kept) + \
            f"\nlisten = unix:{self.socket}\nlog_target = stderr\n"
        self.configure(config)

    def configure(self, more="", workers=None):
        self.workers = workers or self.workers
        self.config.write_text(
            self.configured + f"workers = {self.workers}\n" + more)

    def launch(self, **variables):
        # A build with AddressSanitizer keeps freed memory in quarantine:
        # little of it, so that growth can be seen.
        variables["ASAN_OPTIONS"] = ":".join((
            os.environ.get("ASAN_OPTIONS", ""),
            variables.get("ASAN_OPTIONS", ""),
            "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"))
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                [self.program, "--config", self.config], stderr=log,
                stdin=subprocess.DEVNULL, env={**os.environ, **variables})

    def start(self, **variables):
        self.process = self.launch(**variables)
        wait_for("the pool listens", lambda: self.socket.exists()
                 or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()
        self.wait_full()
        return self

    def pids(self):
        return children(self.process.pid)

    def wait_full(self, without=(), seconds=DEADLINE_S):
        def full():
            pids = self.pids()
            return pids if len(pids) == self.workers and \
                not set(pids) & set(without) else None
        return wait_for(f"{self.workers} workers", full, seconds)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Nginx:
    """The site as shipped on ports of its own; its limits multiplied."""

    def __init__(self, env, folder, upstream=None, limit_scale="0", local=""):
        self.env = env
        self.folder = pathlib.Path(folder)
        self.local = local  # more of the public server
        self.port, self.network_port = free_port(), free_port()
        self.access_log = self.folder / "access.log"
        self.network_log = self.folder / "network.log"
        self.site_log = self.folder / "site-error.log"
        self.error_log = self.folder / "error.log"
        self.process = None
        self.write(upstream, limit_scale)

    def write(self, upstream, limit_scale):
        shipped = self.env.src / "nginx"
        local = self.folder / "cardstock"
        local.mkdir(parents=True)
        for name in ("server.conf", "headers.conf", "errors.conf",
                     "fastcgi_params"):
            (local / name).symlink_to(shipped / name)
        (local / "limits.conf").write_bytes(subprocess.run(
            [shipped / "scale-limits", limit_scale], check=True,
            input=(shipped / "limits.conf").read_bytes(),
            capture_output=True).stdout)
        (local / "local-upstream.conf").write_text(
            f"server unix:{upstream};\n" if upstream else
            (self.env.var / "nginx/cardstock/local-upstream.conf").read_text())
        (local / "local-operators.conf").write_text("allow 127.0.0.2;\n")
        tls = (f"server_name localhost;\n"
               f"ssl_certificate {self.env.server_cert};\n"
               f"ssl_certificate_key {self.env.server_key};\n"
               f"error_log {self.site_log} emerg;\n")
        (local / "local-listen.conf").write_text(
            f"listen 127.0.0.1:{self.port} ssl http2 default_server;\n{tls}"
            f"access_log {self.access_log} cardstock;\n{self.local}")
        (local / "local-network.conf").write_text(
            f"listen 127.0.0.1:{self.network_port} ssl http2;\n{tls}"
            f"access_log {self.network_log} cardstock;\n"
            f"ssl_client_certificate {self.env.ca};\n")
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n" for kind in
            ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        self.config = self.folder / "nginx.conf"
        self.config.write_text(
            ("user root;\n" if os.geteuid() == 0 else "") +
            f"daemon off;\nworker_processes 1;\npid {self.folder}/pid;\n"
            f"error_log {self.error_log} info;\n"
            "events { worker_connections 1024; }\n"
            f"http {{\n{temporary}"
            f"include {shipped}/cardstock.conf;\n"
            f"include {shipped}/network.conf;\n}}\n")

    def start(self):
        self.process = subprocess.Popen(
            ["nginx", "-p", self.folder, "-c", self.config, "-e", "stderr"],
            stdin=subprocess.DEVNULL)
        wait_for("nginx listens", self.listens)
        return self

    def listens(self):
        assert self.process.poll() is None, "nginx ended"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def connection(self):
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=40,
            context=ssl.create_default_context(cafile=self.env.ca))

    def request(self, method, path, headers=None, body=None,
                connection=None):
        """(status, headers, body) of one request."""
        link = connection or self.connection()
        try:
            link.request(method, path, body=body, headers=headers or {})
            response = link.getresponse()
            return response.status, response.headers, response.read()
        finally:
            if connection is None:
                link.close()

    def logged(self, request_id, log=None):
        """The access log's line of a request, once it is written."""
        def line():
            for text in (log or self.access_log).read_text().splitlines():
                if f"request={request_id} " in text:
                    return text
            return None
        return wait_for(f"{request_id} in the access log", line)


class Load:
    """Clients that send one request after another until told to stop."""

    def __init__(self, nginx, headers, path="/v1/cards?per_page=1",
                 clients=8):
        self.nginx, self.headers, self.path = nginx, headers, path
        self.stopping = threading.Event()
        self.answers = []  # (moment, status or exception)
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(clients)]

    def run(self):
        connection = self.nginx.connection()
        while not self.stopping.is_set():
            try:
                status, _, body = self.nginx.request(
                    "GET", self.path, self.headers, connection=connection)
                outcome = status if status == 200 else (status, body)
            except (OSError, http.client.HTTPException) as error:
                outcome = error
                connection.close()
                connection = self.nginx.connection()
            self.answers.append((time.monotonic(), outcome))
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def wait_more(self, count):
        target = len(self.answers) + count
        wait_for(f"{count} more answers",
                 lambda: len(self.answers) >= target, 60)

    def failures(self):
        return [outcome for _, outcome in self.answers if outcome != 200]
