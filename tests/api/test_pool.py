# SPDX-License-Identifier: Apache-2.0
"""The pool of workers: what happens to requests when a worker dies, when the
configuration changes and when it all ends."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from conftest import unique
from private import Load, Nginx, Pool, alive, wait_for


@pytest.fixture
def folder(tmp_path_factory):
    # A unix socket's path may have 107 characters: pytest's are longer.
    path = tmp_path_factory.mktemp("p")
    assert len(str(path)) < 90, "set a shorter TMPDIR"
    return path


@pytest.fixture
def pool(env, folder):
    pool = Pool(env, folder).start()
    yield pool
    pool.stop()
    assert "level=BROKEN" not in pool.log.read_text()


@pytest.fixture
def nginx(env, folder, pool):
    nginx = Nginx(env, folder / "nginx", upstream=pool.socket).start()
    yield nginx
    nginx.stop()


@pytest.fixture
def headers(env):
    return {"Authorization": f"Bearer {env.test_key}"}


def answers(nginx, headers):
    return nginx.request("GET", "/v1/cards?per_page=1", headers)[0] == 200


def test_a_killed_worker_costs_at_most_the_request_in_its_hand(
        pool, nginx, headers):
    with Load(nginx, headers) as load:
        load.wait_more(500)
        before = pool.pids()
        os.kill(before[0], signal.SIGKILL)
        killed = time.monotonic()
        after = pool.wait_full(without=before[:1], seconds=1)
        assert time.monotonic() - killed < 1
        load.wait_more(1000)
    assert before[1] in after, "the other worker went on"
    failures = load.failures()
    assert len(failures) <= 1, failures
    for status, body in failures:
        assert status == 502 and b'"error":"bad_gateway"' in body


def test_workers_that_die_again_and_again_come_back(pool, nginx, headers):
    with Load(nginx, headers, clients=4) as load:
        for _ in range(5):
            victims = pool.pids()
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            pool.wait_full(without=victims, seconds=10)
            load.wait_more(20)
    # Each of four clients may have had one request in a worker's hand.
    assert len(load.failures()) <= 5 * 4
    assert answers(nginx, headers)
    assert "event=worker_died" in pool.log.read_text()


def test_reload_loses_nothing(pool, nginx, headers):
    with Load(nginx, headers) as load:
        for workers in (3, 1, 2):
            load.wait_more(200)
            before = pool.pids()
            pool.configure(workers=workers)
            pool.process.send_signal(signal.SIGHUP)
            pool.wait_full(without=before)
            load.wait_more(200)
    assert load.failures() == []
    assert len(load.answers) > 1000
    assert len(re.findall(r"event=reloaded .* key=[1-9]",
                          pool.log.read_text())) == 3


def test_a_bad_configuration_changes_nothing(pool, nginx, headers):
    before = pool.pids()
    pool.configure("no_such_key = 1\n")
    pool.process.send_signal(signal.SIGHUP)
    wait_for("the refusal is logged",
             lambda: "event=reload_refused" in pool.log.read_text())
    assert "no_such_key" in pool.log.read_text()
    assert answers(nginx, headers)
    assert pool.pids() == before
    pool.configure()
    pool.process.send_signal(signal.SIGHUP)
    pool.wait_full(without=before)


def test_a_new_listen_takes_a_restart(env, folder):
    pool = Pool(env, folder)
    configured = re.sub(r"(?m)^listen.*\n", "", pool.configured)
    pool.configured = configured + f"listen = unix:{pool.socket}\n"
    pool.configure("listen_mode = 0660\n")
    pool.start()
    pool.configured = configured + f"listen = unix:{folder}/other.sock\n"
    pool.configure("listen_mode = 0600\n")
    for times in (1, 2):  # as long as the file and the socket differ
        before = pool.pids()
        pool.process.send_signal(signal.SIGHUP)
        pool.wait_full(without=before)
        for event in ("listen_unchanged", "listen_mode_unchanged"):
            assert pool.log.read_text().count(f"event={event} ") == times
    assert stat.S_IMODE(pool.socket.stat().st_mode) == 0o660
    assert not (folder / "other.sock").exists()
    pool.stop()
    assert not pool.socket.exists()


def slow_request(pool, owner, wallet_id, send):
    """Starts a request that waits for a wallet's row, which the test holds:
    (connection that holds it, thread, answers)."""
    holder = owner.connect()
    holder.begin()
    holder.cursor().execute(
        "SELECT id FROM wallets WHERE id = %s FOR UPDATE", (wallet_id,))
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(send()))
    thread.start()
    # The second busy worker is the one that answers this question.
    wait_for("a worker has it in hand", lambda: re.search(
        r'(?m)^cardstock_workers\{state="busy"\} 2$',
        fcgi_get(pool, "/metrics")))
    return holder, thread, outcome


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT,
                                  signal.SIGHUP])
def test_the_request_in_hand_is_finished(pool, nginx, api, card, wallet_id,
                                         owner, word):
    def fund():
        return nginx.request(
            "POST", f"/v1/cards/{card['id']}/fund",
            {"Authorization": f"Bearer {api.key}",
             "Content-Type": "application/json"}, b'{"amount": 5}')

    holder, thread, outcome = slow_request(pool, owner, wallet_id, fund)
    try:
        before = pool.pids()
        pool.process.send_signal(word)
        if word == signal.SIGHUP:
            wait_for("new workers stand beside the busy one",
                     lambda: len(set(pool.pids()) - set(before)) == 2)
            wait_for("the idle old one has gone",
                     lambda: len(set(pool.pids()) & set(before)) == 1)
        else:
            wait_for("the idle worker has gone",
                     lambda: len(pool.pids()) == 1)
            assert not pool.socket.exists()
        assert not outcome
    finally:
        holder.rollback()
        holder.close()
    thread.join(20)
    status, _, body = outcome[0]
    assert status == 200, body
    if word == signal.SIGHUP:
        pool.wait_full(without=before)
    else:
        assert pool.process.wait(10) == 0


def told(link, seconds):
    """Whether an answer comes."""
    link.settimeout(seconds)
    try:
        return len(link.recv(65536)) > 0
    except (TimeoutError, ConnectionError):
        return False


@contextlib.contextmanager
def standing(*pids):
    """Processes that do not run until the end."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for pid in pids:
            wait_for("it stands", lambda: pathlib.Path(
                f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
                == "T")
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def on_one_cpu(pids):
    """Wakes the processes but lets none run while we do."""
    before = os.sched_getaffinity(0)
    one = {min(before)}
    for pid in pids:
        os.sched_setaffinity(pid, one)
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, one)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
                os.sched_setaffinity(pid, before)
        os.sched_setaffinity(0, before)


def test_a_worker_that_was_woken_accepts_before_it_goes(pool):
    """A connection wakes one worker; when that one is told to stop before it
    ran, nobody else knows of the connection."""
    victim = pool.pids()[0]
    for _ in range(8):
        before = pool.pids()
        with standing(pool.process.pid):
            with on_one_cpu(before):
                link = fcgi_ask(pool, "/v1/status")
                os.kill(victim, signal.SIGTERM)
            with link:
                assert told(link, 5), pool.log.read_text()
        pids = pool.wait_full(without=[victim])
        # Whoever waits longest is woken: the one that was not replaced.
        victim = next(pid for pid in before if pid in pids)


def test_what_is_queued_at_the_end_is_answered(pool):
    with standing(*pool.pids()):
        links = [fcgi_ask(pool, "/v1/status") for _ in range(20)]
        pool.process.send_signal(signal.SIGTERM)
        wait_for("the socket has gone", lambda: not pool.socket.exists())
        time.sleep(0.2)
    assert [told(link, 10) for link in links] == [True] * 20
    for link in links:
        link.close()
    assert pool.process.wait(10) == 0


def test_who_has_gone_is_not_served(pool, nginx, api, card):
    """Clients that give up while no worker has time: nothing is done for
    them."""
    balance = api.wallet()["balance"]
    body = b'{"amount": 5}'
    with standing(*pool.pids()):
        for _ in range(5):
            link = nginx.connection()
            link.request("POST", f"/v1/cards/{card['id']}/fund", body,
                         {"Authorization": f"Bearer {api.key}",
                          "Content-Type": "application/json"})
            time.sleep(0.2)
            link.sock.close()
            link.close()
        wait_for("nginx noticed", lambda: nginx.access_log.exists() and
                 nginx.access_log.read_text().count(" status=499 ") == 5)
        assert "event=request " not in pool.log.read_text()
    wait_for("they were found", lambda: pool.log.read_text().count(
        "event=client_gone") == 5)
    assert answers(nginx, {"Authorization": f"Bearer {api.key}"})
    assert api.wallet()["balance"] == balance
    assert pool.log.read_text().count("event=request ") == 1


def test_workers_that_cannot_start_are_not_made_in_a_row(env, folder):
    pool = Pool(env, folder)
    command = ["prlimit", "--nofile=5", pool.program, "--config", pool.config]
    with open(pool.log, "ab") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        wait_for("one failed", lambda:
                 "event=worker_cannot_start" in pool.log.read_text())
        time.sleep(2)
    finally:
        process.terminate()
        assert process.wait(40) == 0
    text = pool.log.read_text()
    assert "event=worker_died" in text
    # Pauses that double up to a second, for two workers.
    assert text.count("event=worker_cannot_start") < 20


def test_one_that_says_nothing_keeps_no_worker_for_ever(pool, nginx, headers):
    before = pool.pids()
    links = []
    for _ in before:
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(pool.socket))
        links.append(link)
        time.sleep(0.1)
    pool.process.send_signal(signal.SIGHUP)
    wait_for("new ones stand beside the old", lambda: len(pool.pids()) == 4)
    assert answers(nginx, headers)
    pool.wait_full(without=before, seconds=25)
    for link in links:
        link.close()


class SlowDatabase:
    """The database's socket, whose answers take their time."""

    def __init__(self, real, path):
        self.real, self.delay = real, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                near, far = self.listener.accept()[0], \
                    socket.socket(socket.AF_UNIX)
                far.connect(self.real)
                asked = threading.Event()
                for pump in ((near, far, asked.set, lambda: 0),
                             (far, near, asked.clear,
                              lambda asked=asked:
                              self.delay if asked.is_set() else 0)):
                    threading.Thread(target=self.pump, args=pump,
                                     daemon=True).start()

    def pump(self, source, to, seen, delay):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                time.sleep(delay())
                seen()
                to.sendall(piece)
        for end in (source, to):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def slow_database(env, folder):
    """A pool of one worker whose database can be made slow."""
    pool = Pool(env, folder, workers=1)
    pattern = r"(?m)^db_socket\s*=\s*(.*)$"
    database = SlowDatabase(re.search(pattern, pool.configured)[1],
                            folder / "db.sock")
    pool.configured = re.sub(pattern, f"db_socket = {folder}/db.sock",
                             pool.configured)
    pool.configure()
    pool.start()
    nginx = Nginx(env, folder / "nginx", upstream=pool.socket).start()
    yield pool, nginx, database
    nginx.stop()
    pool.stop()
    database.listener.close()
    assert "level=BROKEN" not in pool.log.read_text()


def test_what_nobody_will_hear_is_not_done(slow_database, env, api, card):
    """Each statement in time, but not all of them: the answer comes before
    nginx gives up, and says what is so."""
    pool, nginx, database = slow_database
    server = (env.src / "nginx/server.conf").read_text()
    service = (env.src / "src/api/service.c").read_text()
    assert re.search(r"(?m)^fastcgi_read_timeout (\d+)s;", server)[1] == \
        re.search(r"(?m)^#define NGINX_WAITS_S (\d+)", service)[1]

    def fund(key):
        began = time.monotonic()
        status, headers, body = nginx.request(
            "POST", f"/v1/cards/{card['id']}/fund",
            {"Authorization": f"Bearer {api.key}", "X-Idempotency-Key": key,
             "Content-Type": "application/json"}, b'{"amount": 5}')
        return status, headers, body, time.monotonic() - began

    def balance():
        return api.get(f"/cards/{card['id']}")["balance"]

    assert fund(unique())[0] == 200
    before = balance()
    key = unique()
    database.delay = 7
    status, headers, body, seconds = fund(key)
    assert (status, seconds < 19) == (503, True), (status, body, seconds)
    assert b'"service_unavailable"' in body and headers["Retry-After"]
    assert balance() == before
    database.delay = 0
    assert fund(key)[0] == 200
    status, headers, _, _ = fund(key)
    assert (status, headers["Idempotent-Replayed"]) == (200, "true")
    assert balance() == before + 5


def test_the_database_may_prepare_no_more(pool, nginx, headers, env):
    """max_prepared_stmt_count is of all connections together: one that meets
    it gives back its own."""
    def administer(sql):
        return subprocess.run(
            ["mariadb", "--no-defaults", "--protocol=socket",
             f"--socket={env.db_socket}", "--batch", "--skip-column-names",
             f"--execute={sql}"],
            check=True, capture_output=True, text=True).stdout.split()

    for _ in range(20):
        assert answers(nginx, headers)
    limit = administer("SELECT @@GLOBAL.max_prepared_stmt_count")[0]
    used = administer("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'")[1]
    administer(f"SET GLOBAL max_prepared_stmt_count = {used}")
    try:
        statuses = [nginx.request("GET", path, headers)[0] for path in (
            "/v1/wallet/balance", "/v1/transactions", "/v1/webhooks",
            "/v1/events", "/v1/cards") * 4]
    finally:
        administer(f"SET GLOBAL max_prepared_stmt_count = {limit}")
    assert set(statuses) <= {200, 503} and 200 in statuses, statuses
    assert "errno=1461" in pool.log.read_text()
    for _ in range(20):
        assert answers(nginx, headers)


def test_the_end_leaves_nothing_behind(pool):
    pids = pool.pids()
    began = time.monotonic()
    pool.stop()
    assert time.monotonic() - began < 5
    assert pool.process.returncode == 0
    assert not pool.socket.exists()
    assert not any(alive(pid) for pid in pids)


def test_workers_do_not_outlive_their_master(pool):
    pids = pool.pids()
    pool.process.kill()
    pool.process.wait()
    wait_for("all workers ended",
             lambda: not any(alive(pid) for pid in pids), 5)
    # The dead master's socket is in the way of nobody.
    assert pool.socket.exists()
    pool.start()


def test_a_second_pool_does_not_take_the_socket(pool, nginx, headers):
    second = pool.launch()
    assert second.wait(10) == 2
    assert "event=listen_failed" in pool.log.read_text()
    assert answers(nginx, headers)


def test_a_file_is_not_taken_for_a_socket(env, folder):
    pool = Pool(env, folder)
    pool.socket.write_text("precious")
    assert pool.launch().wait(10) == 2
    assert pool.socket.read_text() == "precious"


@pytest.mark.parametrize("line, says", [
    ("no_such_key = 1", "no_such_key"),
    ("listen_mode = lots", "listen_mode"),
    ("master_key_file = /nonexistent/master.key", "/nonexistent/master.key"),
])
def test_what_is_wrong_at_start_is_said(env, folder, line, says):
    pool = Pool(env, folder)
    key = line.partition(" ")[0]
    pool.configured = "\n".join(
        kept for kept in pool.configured.splitlines()
        if not kept.startswith(key + " ")) + "\n"
    pool.configure(line + "\n")
    assert pool.launch().wait(10) == 2
    assert says in pool.log.read_text()
    assert not pool.socket.exists()


def test_the_socket_has_the_configured_permissions(env, folder):
    pool = Pool(env, folder)
    pool.configured = re.sub(r"(?m)^listen_mode.*\n", "", pool.configured)
    pool.configure("listen_mode = 0600\n")
    pool.start()
    try:
        assert stat.S_IMODE(pool.socket.stat().st_mode) == 0o600
    finally:
        pool.stop()


def test_workers_leave_no_core(pool):
    for pid in pool.pids():
        limits = open(f"/proc/{pid}/limits").read()
        line = next(line for line in limits.splitlines()
                    if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]
        # An undumpable process's files in /proc belong to root.
        assert os.stat(f"/proc/{pid}/environ").st_uid == 0


def test_a_worker_retires_and_is_replaced(env, folder, headers):
    pool = Pool(env, folder, config="worker_requests = 50\n").start()
    nginx = Nginx(env, folder / "nginx", upstream=pool.socket).start()
    try:
        before = pool.pids()
        with Load(nginx, headers) as load:
            load.wait_more(500)
        assert load.failures() == []
        pool.wait_full(without=before)
        assert "event=worker_died" not in pool.log.read_text()
    finally:
        nginx.stop()
        pool.stop()


def test_a_cut_request_has_no_effect_and_hurts_nobody(pool, nginx, headers):
    """What is no FastCGI at all, and what ends in the middle."""
    begin = bytes([1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    for piece in (b"", b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", begin,
                  begin + bytes([1, 4, 0, 1, 0, 200, 0, 0]) + b"\x0e\x03RE"):
        for _ in range(4):
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(pool.socket))
                link.sendall(piece)
    before = pool.pids()
    assert answers(nginx, headers)
    assert pool.pids() == before


def test_memory_does_not_grow(pool, nginx, headers):
    def resident():
        return [int(re.search(r"VmRSS:\s*(\d+)",
                              open(f"/proc/{pid}/status").read())[1])
                for pid in pool.pids()]

    with Load(nginx, headers) as load:
        load.wait_more(2000)
        before = resident()
        load.wait_more(6000)
        after = resident()
    for start, end in zip(before, after):
        assert end - start < 1024, f"{start} kB grew to {end} kB"


def test_systemd_is_told(env, folder):
    address = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(address)
        told.settimeout(10)
        pool = Pool(env, folder)
        pool.start(NOTIFY_SOCKET=address)
        try:
            assert told.recv(100) == b"READY=1"
            pool.process.send_signal(signal.SIGHUP)
            assert told.recv(100) == b"RELOADING=1"
            assert told.recv(100) == b"READY=1"
        finally:
            pool.stop()
        assert told.recv(100) == b"STOPPING=1"


def test_metrics_tell_of_the_pool(pool, nginx, headers):
    victim = pool.pids()[0]
    os.kill(victim, signal.SIGKILL)
    pool.wait_full(without=[victim])
    for _ in range(20):
        assert answers(nginx, headers)
    text = fcgi_get(pool, "/metrics")
    assert re.search(r"(?m)^cardstock_worker_restarts_total 1$", text), text
    states = re.findall(r'(?m)^cardstock_workers\{state="(?:busy|idle)"\} '
                        r'(\d+)$', text)
    assert sum(map(int, states)) == 2, text
    assert re.search(r'(?m)^cardstock_requests_total\{route="GET /v1/cards",'
                     r'status="200"\} 20$', text), text


def fcgi_ask(pool, path):
    """A connection with one GET straight to the workers, as nginx would send
    it."""
    def record(kind, content):
        return bytes([1, kind, 0, 1]) + len(content).to_bytes(2, "big") + \
            b"\0\0" + content

    params = b"".join(
        bytes([len(name), len(value)]) + name + value for name, value in (
            (b"REQUEST_METHOD", b"GET"), (b"REQUEST_URI", path.encode()),
            (b"REMOTE_ADDR", b"127.0.0.1")))
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(10)
    link.connect(str(pool.socket))
    link.sendall(record(1, bytes([0, 1, 0, 0, 0, 0, 0, 0])) +
                 record(4, params) + record(4, b"") + record(5, b""))
    return link


def fcgi_get(pool, path):
    with fcgi_ask(pool, path) as link:
        received = b""
        while chunk := link.recv(65536):
            received += chunk
    out = b""
    while received:
        length = int.from_bytes(received[4:6], "big")
        if received[1] == 6:
            out += received[8:8 + length]
        received = received[8 + length + received[6]:]
    head, _, body = out.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: 200 "), head
    return body.decode()


def test_version_and_help(pool):
    done = subprocess.run([pool.program, "--version"], capture_output=True,
                          text=True)
    assert done.returncode == 0 and done.stdout.startswith("cardstockd ")
    for wrong in (["--no-such"], ["--workers", "0"], ["--workers", "x"],
                  ["surplus"]):
        done = subprocess.run([pool.program, *wrong], capture_output=True,
                              text=True)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1], done
