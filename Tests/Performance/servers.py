# SPDX-License-Identifier: Apache-2.0
"""The servers that `bench` measures, each with its best settings for small cached objects."""

import http.client
import http.server
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

BODY = b"x" * 1024
# What a hot object may take; more than enough, so that nothing is evicted.
MEMORY = "64"


class Unavailable(Exception):
    """Why a server is left out."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


FIELDS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "public, max-age=86400",
    "ETag": '"5f3a2b1c-400"',
    "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
}


class Certificate:
    """One certificate for localhost, with a P-256 key, that all servers show."""

    def __init__(self, directory):
        self.chain, self.key = directory / "certificate.pem", directory / "key.pem"
        # Some take only one file.
        self.both = directory / "both.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", self.key, "-out", self.chain],
            check=True, capture_output=True)
        self.both.touch(mode=0o600)
        self.both.write_text(self.chain.read_text() + self.key.read_text())


class Origin:
    """Answers everything with one cacheable KiB and counts how often it was asked."""

    def __init__(self):
        origin = self
        origin.count = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                origin.count += 1
                self.send_response(200)
                for name, value in {**FIELDS, "Content-Length": str(len(BODY))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(BODY)

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # a server that closes its pooled connection is no news

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Server:
    """One server on a port of its own, pinned to one core, below one directory."""

    name = ""
    program = ""
    version_arguments = ("-v",)

    def __init__(self, directory, origin_port, core, atoll, certificate):
        self.directory = directory
        self.origin_port = origin_port
        self.core = core
        self.atoll = atoll
        self.certificate = certificate
        self.port = free_port()
        # Where it speaks HTTP/2 in the clear; None when it does not.
        self.http2_port = None
        # Where it speaks TLS, HTTP/1.1 and HTTP/2 by ALPN.
        self.tls_port = None
        # Titles of what it answered with errors.
        self.unable = set()
        self.process = None
        self.response_size = 0

    def command(self):
        """Writes what the server reads and returns its command line."""
        raise NotImplementedError

    def environment(self):
        return {}

    def start(self):
        # Debian keeps most of them where only root's PATH looks.
        path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
        self.executable = shutil.which(self.program, path=path)
        if not self.executable:
            raise Unavailable(f"{self.program} is not installed")
        command = self.command()
        self.log = open(self.directory / "output", "w+b")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, **self.environment()}, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),
        )

    def prime(self, path):
        """Waits until it answers, then until it answers with a hit."""
        deadline = time.monotonic() + 20
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                self.log.seek(0)
                said = self.log.read().decode(errors="replace").strip().splitlines()[-3:]
                raise Unavailable("it did not start: " + " / ".join(said))
            try:
                for _ in range(3):
                    self.response_size = self.fetch(path)
                    if self.tls_port:
                        self.fetch_secured(path)
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)

    def fetch(self, path):
        return self.ask(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=5), path)

    def fetch_secured(self, path):
        context = ssl.create_default_context(cafile=self.certificate.chain)
        # With another version the comparison would be none.
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.ask(http.client.HTTPSConnection(
            "localhost", self.tls_port, timeout=5, context=context), path)

    @staticmethod
    def ask(connection, path):
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200 or body != BODY:
                raise http.client.HTTPException(f"status {response.status}")
            head = sum(len(name) + len(value) + 4 for name, value in response.getheaders())
            return len("HTTP/1.1 200 OK\r\n\r\n") + head + len(body)
        finally:
            connection.close()

    def version(self):
        result = subprocess.run(
            [self.executable, *self.version_arguments], capture_output=True, text=True)
        found = re.search(r"\d+\.\d+(\.\d+)*", result.stdout + result.stderr)
        return found.group(0) if found else ""

    def stop(self):
        if not self.process:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(timeout=5)
                return
            except subprocess.TimeoutExpired:
                continue


class Ceiling(Server):
    name = "ceiling"
    program = "cc"

    def command(self):
        binary = self.directory / "ceiling"
        source = pathlib.Path(__file__).with_name("ceiling.c")
        subprocess.run([self.executable, "-O2", "-o", binary, source], check=True)
        return [binary, str(self.port)]

    def version(self):
        return "(epoll loop, fixed response)"


class Atoll(Server):
    name = "atoll"
    program = "env"
    version_arguments = ("--version",)

    def command(self):
        if not os.access(self.atoll, os.X_OK):
            raise Unavailable(f"{self.atoll} is not there; run make release")
        self.executable = self.atoll
        self.http2_port = self.port
        self.tls_port = free_port()
        subprocess.run(
            [self.atoll, "cert", "import", "bench", self.certificate.both, "--allow-incomplete"],
            env=self.environment(), check=True, capture_output=True)
        return [
            self.atoll, "serve", f"http://127.0.0.1:{self.origin_port}",
            "--http", f"127.0.0.1:{self.port}", "--https", f"127.0.0.1:{self.tls_port}",
            "--threads", "1", "--memory", f"{MEMORY}M",
            "--access-log", "off",
        ]

    def environment(self):
        return {"ATOLL_HOME": str(self.directory / "home")}


class AtollBehaviors(Atoll):
    """The same with ten behaviors, of which the last, the default, is the object's."""

    name = "atoll-10"

    def command(self):
        command = super().command()
        # Where behaviors are looked up makes no difference to these.
        self.http2_port = self.tls_port = None
        paths = [f"/section-{number}/*" for number in range(1, 9)] + ["*.jpg"]
        subprocess.run(
            [self.atoll, "create", "bench", "--origin", f"http://127.0.0.1:{self.origin_port}",
             "--quiet"] + [word for path in paths for word in ("--cache-path", path)],
            env=self.environment(), check=True)
        return [command[0], "serve"] + command[3:]


class Nginx(Server):
    name = "nginx"
    program = "nginx"

    def command(self):
        place = self.directory
        self.http2_port = free_port()
        self.tls_port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        (place / "nginx.conf").write_text(f"""
            {user}
            daemon off;
            worker_processes 1;
            pid {place}/pid;
            error_log stderr crit;
            events {{ worker_connections 1024; }}
            http {{
              access_log off;
              # For small files a read and a write cost less than sendfile.
              sendfile off;
              tcp_nodelay on;
              keepalive_timeout 600;
              keepalive_requests 1000000000;
              open_file_cache max=1000 inactive=1h;
              open_file_cache_valid 1h;
              client_body_temp_path {place}/body;
              proxy_temp_path {place}/proxy;
              fastcgi_temp_path {place}/fastcgi;
              uwsgi_temp_path {place}/uwsgi;
              scgi_temp_path {place}/scgi;
              proxy_cache_path {place}/cache levels=1:2 keys_zone=hot:{MEMORY}m
                inactive=1d use_temp_path=off;
              upstream origin {{ server 127.0.0.1:{self.origin_port}; keepalive 8; }}
              server {{
                listen 127.0.0.1:{self.port};
                listen 127.0.0.1:{self.http2_port} http2;
                listen 127.0.0.1:{self.tls_port} ssl http2;
                ssl_certificate {self.certificate.chain};
                ssl_certificate_key {self.certificate.key};
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_session_cache none;
                ssl_session_tickets on;
                location / {{
                  proxy_pass http://origin;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_cache hot;
                  proxy_cache_lock on;
                  add_header X-Cache $upstream_cache_status;
                }}
              }}
            }}
        """)
        return [self.executable, "-p", place, "-c", place / "nginx.conf", "-e", "stderr"]


class Varnish(Server):
    name = "varnish"
    program = "varnishd"
    version_arguments = ("-V",)

    def command(self):
        vcl = self.directory / "default.vcl"
        vcl.write_text(f"""
            vcl 4.1;
            backend default {{ .host = "127.0.0.1"; .port = "{self.origin_port}"; }}
        """)
        self.http2_port = self.port
        # A waiting connection holds no thread, a busy one does: one pool with a thread for each.
        return [
            self.executable, "-F", "-j", "none", "-n", self.directory / "work", "-f", vcl,
            "-a", f"127.0.0.1:{self.port}", "-s", f"malloc,{MEMORY}m", "-T", "none",
            "-p", "feature=+http2", "-p", "thread_pools=1", "-p", "thread_pool_min=100", "-p", "thread_pool_max=200",
            "-p", "vsl_mask=" + ",".join(f"-{tag}" for tag in self.log_tags()),
        ]

    @staticmethod
    def log_tags():
        """Everything that a hit would write to the shared memory log."""
        return [
            "Begin", "End", "Link", "SessOpen", "SessClose", "ReqStart", "ReqMethod", "ReqURL",
            "ReqProtocol", "ReqHeader", "ReqUnset", "ReqAcct", "RespProtocol", "RespStatus",
            "RespReason", "RespHeader", "RespUnset", "VCL_call", "VCL_return", "VCL_use",
            "Timestamp", "Hit", "Filters",
        ]


class HAProxy(Server):
    name = "haproxy"
    program = "haproxy"

    def command(self):
        configuration = self.directory / "haproxy.cfg"
        self.http2_port = free_port()
        self.tls_port = free_port()
        configuration.write_text(f"""
global
  nbthread 1
  maxconn 1024
cache hot
  total-max-size {MEMORY}
  max-age 86400
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend viewers
  bind 127.0.0.1:{self.port}
  bind 127.0.0.1:{self.http2_port} proto h2
  bind 127.0.0.1:{self.tls_port} ssl crt {self.certificate.both} alpn h2,http/1.1
  http-request cache-use hot
  http-response cache-store hot
  default_backend origins
backend origins
  server origin 127.0.0.1:{self.origin_port}
""")
        return [self.executable, "-db", "-f", configuration]


class TrafficServer(Server):
    name = "trafficserver"
    program = "traffic_server"
    version_arguments = ("--version",)

    def command(self):
        place = self.directory
        for name in ("conf", "run", "log", "cache"):
            (place / name).mkdir()
        # Its run root tells it to look nowhere outside this directory but for its code.
        (place / "runroot.yaml").write_text("".join(f"{key}: {value}\n" for key, value in {
            "prefix": "/usr", "exec_prefix": "/usr", "bindir": "/usr/bin", "sbindir": "/usr/sbin",
            "includedir": "/usr/include", "libdir": "/usr/lib/trafficserver",
            "libexecdir": "/usr/lib/trafficserver/modules",
            "sysconfdir": place / "conf", "datadir": place / "conf",
            "localstatedir": place / "run", "runtimedir": place / "run",
            "logdir": place / "log", "cachedir": place / "cache",
        }.items()))
        self.tls_port = free_port()
        settings = {
            "http.server_ports":
                f"STRING {self.port}:ip-in=127.0.0.1 {self.tls_port}:ip-in=127.0.0.1:ssl",
            "ssl.server.cert.path": f"STRING {self.certificate.chain.parent}",
            "ssl.server.private_key.path": f"STRING {self.certificate.chain.parent}",
            "exec_thread.autoconfig.enabled": "INT 0",
            "exec_thread.limit": "INT 1",
            "accept_threads": "INT 0",
            "task_threads": "INT 1",
            "cache.threads_per_disk": "INT 1",
            "cache.ram_cache.size": f"INT {int(MEMORY) << 20}",
            "http.keep_alive_no_activity_timeout_in": "INT 600",
            "log.logging_enabled": "INT 0",
            "admin.user_id": "STRING #-1",
            "crash_log_helper": "STRING NULL",
        }
        files = {
            "records.config": "".join(
                f"CONFIG proxy.config.{name} {value}\n" for name, value in settings.items()),
            "remap.config": f"map / http://127.0.0.1:{self.origin_port}/\n",
            "storage.config": f"{place / 'cache'} {MEMORY}M\n",
            "ip_allow.yaml": "ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.1\n"
            "    action: allow\n    methods: ALL\n",
            "ssl_multicert.config": f"dest_ip=* ssl_cert_name={self.certificate.chain.name}"
            f" ssl_key_name={self.certificate.key.name}\n",
            "logging.yaml": "", "sni.yaml": "", "strategies.yaml": "",
            **{f"{name}.config": "" for name in (
                "cache", "hosting", "parent", "plugin", "socks", "splitdns", "volume")},
        }
        for name, text in files.items():
            (place / "conf" / name).write_text(text)
        return [self.executable]

    def environment(self):
        return {"TS_RUNROOT": str(self.directory / "runroot.yaml")}


class H2O(Server):
    """It has no cache for what an origin sends: the object is a file."""

    name = "h2o"
    program = "h2o"
    version_arguments = ("--version",)

    def command(self):
        files = self.directory / "files"
        files.mkdir()
        (files / "object").write_bytes(BODY)
        self.http2_port = self.port
        self.tls_port = free_port()
        user = "user: root\n" if os.geteuid() == 0 else ""
        configuration = self.directory / "h2o.conf"
        configuration.write_text(f"""
{user}num-threads: 1
http1-request-timeout: 600
http2-idle-timeout: 600
file.mime.setdefaulttype: "{FIELDS['Content-Type']}"
header.set: "Cache-Control: {FIELDS['Cache-Control']}"
hosts:
  plain:
    listen:
      host: 127.0.0.1
      port: {self.port}
    paths: &paths
      /:
        file.dir: {files}
  secured:
    listen:
      host: 127.0.0.1
      port: {self.tls_port}
      ssl:
        certificate-file: {self.certificate.chain}
        key-file: {self.certificate.key}
    paths: *paths
""")
        return [self.executable, "-c", configuration]


ALL_SERVERS = [Ceiling, Atoll, AtollBehaviors, HAProxy, Nginx, TrafficServer, Varnish, H2O]
