# SPDX-License-Identifier: Apache-2.0
"""What the parts of ./dev bench share: the stack that it brings up, the
clients, and the cases whose figures become the table."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
SRC = pathlib.Path(os.environ.get("CARDSTOCK_SRC", HERE.parent.parent))
VAR = pathlib.Path(os.environ.get("CARDSTOCK_VAR", SRC / "var")).absolute()
BUILD = pathlib.Path(os.environ.get("CARDSTOCK_BUILD", VAR / "build"))
STACK = VAR / "bench"

began = time.monotonic()


def say(text):
    print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)


def fail(text):
    sys.exit(f"bench: {text}")


def run(arguments, **options):
    """A command that must succeed; its output."""
    done = subprocess.run([str(a) for a in arguments], text=True,
                          errors="replace", capture_output=True, **options)
    if done.returncode != 0:
        fail(f"{arguments[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def read_or(path, default=""):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return default


def children(pid):
    return [int(child) for child in read_or(
        f"/proc/{pid}/task/{pid}/children").split()]


def process_us(pid):
    fields = read_or(f"/proc/{pid}/stat").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12]) if fields else 0
    return ticks * 1_000_000 // os.sysconf("SC_CLK_TCK")


# --- the stack ---------------------------------------------------------------

def ports_find():
    """Free ports in a row: the site, the network's, the ceilings', a receiver's
    and one where nobody listens."""
    for port in range(21000 + os.getpid() % 9000, 60000, 5):
        with contextlib.ExitStack() as stack:
            try:
                for offset in range(5):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", port + offset))
                return port
            except OSError:
                continue
    fail("no free port")


class Stack:
    def __init__(self, buffer):
        self.port = ports_find()
        self.environment = dict(
            os.environ, CARDSTOCK_VAR=str(STACK), CARDSTOCK_PORT=str(self.port),
            CARDSTOCK_BUILD=str(BUILD), CARDSTOCK_LIMIT_SCALE="0",
            CARDSTOCK_DB_BUFFER=buffer)
        self.constants = []

    def dev(self, *arguments):
        return run([SRC / "dev", *arguments], env=self.environment)

    def up(self):
        self.dev("down")
        shutil.rmtree(STACK, ignore_errors=True)
        self.dev("up")
        self.values = dict(
            line.split("=", 1)
            for line in (STACK / "dev.env").read_text().splitlines())
        self.run_dir = pathlib.Path(self.values["CARDSTOCK_DB_SOCKET"]).parent
        self.workers = int(re.search(r"^workers = (\d+)$", (
            STACK / "cardstock.conf").read_text(), re.M).group(1))
        self.tls = ssl.create_default_context(
            cafile=self.values["CARDSTOCK_CA"])

    def constants_stop(self):
        for constant in self.constants:
            constant.terminate()
            constant.wait()

    def login_file(self, user):
        """A file for the mariadb client, so that no password is an argument."""
        path = STACK / "secret" / f"bench-{user}.cnf"
        if not path.exists():
            password = (STACK / "secret" / f"{user}.password").read_text()
            path.touch(mode=0o600)
            path.write_text(
                f"[client]\nuser=cardstock_{user}\n"
                f"password={password.strip()}\n"
                f"socket={self.values['CARDSTOCK_DB_SOCKET']}\n"
                f"database={self.values['CARDSTOCK_DB_NAME']}\n")
        return path

    def sql(self, user, text):
        """The rows of all results, each a list of texts."""
        rows = run(["mariadb", f"--defaults-file={self.login_file(user)}",
                    "--batch", "--skip-column-names"], input=text)
        return [line.split("\t") for line in rows.split("\n")[:-1]]

    def connection(self):
        return http.client.HTTPSConnection("127.0.0.1", self.port,
                                           context=self.tls, timeout=10)

    def nginx_extend(self, small, large):
        """The ceilings' server beside the site, in the same nginx."""
        path = STACK / "nginx" / "nginx.conf"
        site = STACK / "nginx" / "cardstock" / "local-listen.conf"
        # As nginx/local/local-listen.conf has it: a write per 64 KiB.
        text = site.read_text().replace(" cardstock;\n",
                                        " cardstock buffer=64k flush=1s;\n")
        site.write_text(text)
        listen = text.replace(f":{self.port} ", f":{self.port + 2} ").replace(
            "nginx-access.log", "nginx-bench.log")
        server = f"""
server {{
{listen}
include cardstock/server.conf;
location = /nginx {{ return 200 '{small}'; }}
location = /small {{ fastcgi_pass unix:{self.run_dir}/small.sock; }}
location = /large {{ fastcgi_pass unix:{self.run_dir}/large.sock; }}
}}
"""
        (STACK / "nginx" / "bench.conf").write_text(server)
        head, brace, tail = path.read_text().rpartition("}")
        path.write_text(f"{head}\tinclude {STACK}/nginx/bench.conf;\n"
                        f"{brace}{tail}")
        run(["nginx", "-t", "-q", "-p", STACK / "nginx", "-c", path,
             "-e", "stderr"])
        os.kill(self.pid("nginx"), signal.SIGHUP)
        for name, body in (("small", small), ("large", large)):
            (STACK / f"{name}.json").write_text(body)
            self.constants.append(subprocess.Popen(
                [BUILD / "tests/bench/constant", self.run_dir / f"{name}.sock",
                 str(self.workers), STACK / f"{name}.json"]))
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port + 2)):
                    return
            except OSError:
                time.sleep(0.1)
        fail("nginx did not take the ceilings' server")

    def pid(self, name):
        return int((self.run_dir / f"{name}.pid").read_text())

    def worker_pids(self):
        return children(self.pid("cardstockd"))

    def processor_us(self):
        """What each part has used of the processors so far."""
        parts = {"nginx": children(self.pid("nginx")),
                 "worker": self.worker_pids() + [
                     pid for constant in self.constants
                     for pid in children(constant.pid)],
                 "mariadb": [self.pid("mariadb")]}
        used = {name: sum(map(process_us, pids))
                for name, pids in parts.items()}
        mine = os.times()
        used["client"] = round(
            (mine.children_user + mine.children_system) * 1e6)
        return used

    def counters(self):
        """Requests answered and round trips made, from /metrics."""
        connection = self.connection()
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        requests = sum(
            int(count) for route, count in re.findall(
                r'^cardstock_requests_total\{route="([^"]*)".*\} (\d+)$', text,
                re.M) if "/metrics" not in route)
        trips = int(re.search(r"^cardstock_database_round_trips_total (\d+)$",
                              text, re.M).group(1))
        retries = int(re.search(r"^cardstock_database_retries_total (\d+)$",
                                text, re.M).group(1))
        return requests, trips, retries


class Account:
    def __init__(self, public_id, key, wallet_id):
        self.public_id, self.key, self.wallet_id = public_id, key, wallet_id
        self.cards = []


def accounts_make(stack, count):
    ids = [row[0] for row in stack.sql("admin", "".join(
        f"CALL admin_account_create('Bench {i}');" for i in range(count)))]
    keys = [next(field for field in row if field.startswith("sk_test_"))
            for row in stack.sql("admin", "".join(
                f"CALL admin_key_issue('{i}', 'test', 'native', "
                f"'read,write,cards:details', 'bench', NULL, NULL);"
                for i in ids))]
    stack.sql("admin", "".join(
        f"CALL admin_wallet_adjust('{i}', 'test', 99999999999, 'bench');"
        for i in ids))
    wallets = dict(stack.sql("owner", """
        SELECT a.public_id, w.id FROM accounts AS a
          JOIN wallets AS w ON w.account_id = a.id AND w.mode = 'test'"""))
    return [Account(i, key, int(wallets[i])) for i, key in zip(ids, keys)]


def cards_make(connection, account, count):
    body = json.dumps({"bin_id": "491653", "amount": 1, "label": "Bench"})
    for _ in range(count):
        connection.request("POST", "/v1/cards", body, {
            "Authorization": f"Bearer {account.key}",
            "Content-Type": "application/json"})
        reply = connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 201:
            fail(f"POST /v1/cards answered {answer}")
        account.cards.append(answer["id"])


def cards_fill(stack, cards):
    """Money on cards (pairs of account and card), so that each pays a cent a
    time and outlasts the bench."""
    stack.sql("owner", "".join(f"""
        START TRANSACTION;
        SELECT w.ledger_account_id, c.ledger_account_id INTO @from, @to
          FROM cards AS c JOIN wallets AS w ON w.id = c.wallet_id
         WHERE c.public_id = '{card}';
        CALL ledger_post('card_funded', NULL, @from, @to, 4000000, TRUE, @j);
        UPDATE wallets SET total_spent_cents = total_spent_cents + 4000000
         WHERE id = {account.wallet_id};
        SELECT id INTO @card FROM cards WHERE public_id = '{card}';
        CALL card_event(@card, 'card.funded', @j);
        COMMIT;""" for account, card in cards))


def page_read(stack, account, query):
    connection = stack.connection()
    connection.request("GET", f"/v1/cards?{query}", headers={
        "Authorization": f"Bearer {account.key}"})
    reply = connection.getresponse()
    text = reply.read().decode()
    if reply.status != 200:
        fail(f"GET /v1/cards?{query} answered {text}")
    return text


# --- measuring ---------------------------------------------------------------

def ms(us):
    return None if us is None else us / 1000


class Case:
    """One line of the table. ceilings: names of what it is a part of."""

    def __init__(self, name, ceilings=(), requests=None, port=0, keyed=False,
                 routine_cards=None, aims=(), syscalls=False, network=None,
                 clears=False, clients=None, bounds=(), runs=None, before=None):
        """runs: measures a round itself and answers it; before: called before
        each round."""
        self.name, self.ceilings, self.aims = name, ceilings, aims
        self.runs, self.before = runs, before
        self.bounds, self.network = bounds, network
        self.clears, self.clients = clears, clients
        self.requests, self.port, self.keyed = requests, port, keyed
        self.routine_cards, self.syscalls = routine_cards, syscalls
        self.rounds = []
        self.answered = self.trips = self.retries = 0
        self.calls_per_request = None
        self.processor = {}
        self.group = None

    @property
    def rate(self):
        return sum(r["requests"] for r in self.rounds) * 1e6 / sum(
            r["us"] for r in self.rounds)

    def latency_us(self, share):
        """The quantile over all rounds together; None without any."""
        pairs = sorted(pair for r in self.rounds for pair in r["latency"])
        if not pairs:
            return None
        left = share * sum(weight for _, weight in pairs)
        for value, weight in pairs:
            left -= weight
            if left <= 0:
                return value
        return pairs[-1][0]

    def bound(self, what):
        """A figure that is to stay under its bound."""
        if what == "p50 ms":
            return self.latency_us(0.5) / 1000
        if what == "p99 of p50":
            return round(self.latency_us(0.99) / self.latency_us(0.5), 2)
        return round(self.trips / max(self.answered, 1), 2)

    def share_of(self, other):
        """How much of another's rate this one reached. Within a group the
        median of the rounds, so that a burst of other work in one of them
        does not count."""
        if self.group != other.group:
            return self.rate / other.rate
        return statistics.median(
            mine["requests"] * its["us"] / (its["requests"] * mine["us"])
            for mine, its in zip(self.rounds, other.rounds))

    def result(self, cases):
        row = {"name": self.name, "requests_per_s": round(self.rate, 1),
               "p50_ms": ms(self.latency_us(0.5)),
               "p99_ms": ms(self.latency_us(0.99)),
               "rounds_per_s": [round(r["requests"] * 1e6 / r["us"], 1)
                                for r in self.rounds],
               "ratios": {name: round(self.share_of(cases[name]), 3)
                          for name in self.ceilings if name in cases}}
        if self.processor:
            requests = sum(r["requests"] for r in self.rounds)
            row["processor_us_per_request"] = {
                name: round(us / requests)
                for name, us in self.processor.items()}
        if self.answered:
            row["round_trips_per_request"] = round(
                self.trips / self.answered, 2)
            row["retries"] = self.retries
        if self.calls_per_request is not None:
            row["system_calls_per_request"] = self.calls_per_request
        return row


class Bench:
    def __init__(self, stack, connections, rounds, seconds, warm):
        self.stack, self.connections = stack, connections
        self.rounds, self.seconds, self.warm = rounds, seconds, warm
        self.cases = {}
        # What no case tells: figures that stand for themselves, and aims of
        # them.
        self.figures, self.judged = [], []

    def figure(self, name, value, unit):
        self.figures.append({"name": name, "value": value, "unit": unit})
        say(f"{name}: {value} {unit}")
        return value

    def judge(self, name, what, value, bound, at_least=False):
        self.judged.append({
            "name": name, "what": what, "value": value, "bound": bound,
            "at_least": at_least,
            "met": value >= bound if at_least else value <= bound})

    def wrk_command(self, case, seconds):
        path = STACK / "requests.tsv"
        path.write_text("".join("\t".join(r) + "\n" for r in case.requests))
        connections = case.clients or self.connections
        return ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s",
                "--timeout", "10s", "-s", HERE / "client.lua",
                f"https://127.0.0.1:{case.port}", "--", path,
                "keyed" if case.keyed else "plain", uuid.uuid4().hex[:12]]

    def wrk(self, case, seconds):
        output = run(self.wrk_command(case, seconds))
        result = json.loads(re.search(r"^RESULT (.*)$", output, re.M).group(1))
        if result["errors"] or result["refused"] or not result["requests"]:
            fail(f"{case.name}: {result['errors']} failed and "
                 f"{result['refused']} refused of {result['requests']}")
        share = result["requests"] / 400
        result["latency"] = [(us, share) for us in result.pop("quantiles")]
        return result

    def routine(self, case):
        path = STACK / "cards.txt"
        what = "keyed" if case.keyed else "plain"
        if case.clears:
            what = "clear"
            self.references(path)
        else:
            path.write_text("".join(f"{wallet} {card}\n"
                                    for wallet, card in case.routine_cards))
            if case.network:
                what = "authorize"
        result = json.loads(run([
            BUILD / "tests/bench/routine", self.stack.login_file("api"), path,
            self.stack.workers, self.warm * 1000, self.seconds * 1000, what]))
        case.retries += result["retries"]
        return result

    def references(self, path):
        """Of what the network has authorized and not cleared, in no order."""
        rows = self.stack.sql("owner", """
            SELECT n.network_ref
              FROM transactions AS t FORCE INDEX (hold_expires_at)
              JOIN network_refs AS n ON n.transaction_id = t.id
             WHERE t.hold_expires_at IS NOT NULL AND n.scope = 0
             ORDER BY RAND()""")
        path.write_text("".join(f"{row[0]}\n" for row in rows))

    def processor(self, case, seconds, clients=None, warm=0):
        """The network interface: its client has a certificate."""
        path = STACK / "network.txt"
        if case.clears:
            self.references(path)
        else:
            path.write_text("".join(f"{card}\n" for card in case.network))
        return json.loads(run([
            BUILD / "tests/bench/network", self.stack.port + 1, STACK / "tls",
            path, clients or case.clients, warm * 1000, seconds * 1000,
            "clear" if case.clears else "authorize"]))

    def load(self, case, seconds):
        return self.processor(case, seconds) if case.network else self.wrk(
            case, seconds)

    def measure(self, case):
        if case.before:
            case.before()
        if case.runs:
            case.rounds.append(case.runs(case))
            return
        if case.routine_cards:
            case.rounds.append(self.routine(case))
            return
        self.load(case, self.warm)
        used = self.stack.processor_us()
        before = self.stack.counters()
        case.rounds.append(self.load(case, self.seconds))
        # The workers count after they have answered.
        time.sleep(0.05)
        after = self.stack.counters()
        for name, us in self.stack.processor_us().items():
            case.processor[name] = (case.processor.get(name, 0) + us -
                                    used[name])
        if case.network or case.port == self.stack.port:
            case.answered += after[0] - before[0]
            case.trips += after[1] - before[1]
            case.retries += after[2] - before[2]

    def group(self, *cases):
        """Measures them by turns, forth and back, so that a machine that
        slows down slows all of them."""
        self.cases.update((case.name, case) for case in cases)
        for case in cases:
            case.group = cases[0].name
        for number in range(self.rounds):
            for case in cases if number % 2 == 0 else reversed(cases):
                self.measure(case)
        for case in cases:
            say(f"{case.name:44} {case.rate:9.0f} /s" + (
                "" if case.latency_us(0.5) is None else
                f", p50 {case.latency_us(0.5) / 1000:.1f} ms,"
                f" p99 {case.latency_us(0.99) / 1000:.1f} ms"))
        for case in cases:
            if case.syscalls:
                self.system_calls(case)

    def system_calls(self, case):
        """strace of one worker under the same load, in a run of its own."""
        pids = self.stack.worker_pids()
        if not shutil.which("strace") or not pids:
            return
        path = STACK / "strace.txt"
        load = subprocess.Popen([str(a) for a in self.wrk_command(case, 3)],
                                stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        trace = subprocess.Popen(
            ["strace", "-c", "-f", "-qq", "-o", path, "-p", str(pids[0])],
            stderr=subprocess.DEVNULL)
        time.sleep(1.5)
        trace.send_signal(signal.SIGINT)
        trace.wait()
        load.wait()
        calls = {}
        for line in read_or(path).splitlines():
            fields = line.split()
            if len(fields) >= 5 and fields[3].isdigit():
                errors = int(fields[4]) if len(fields) == 6 else 0
                calls[fields[-1]] = (int(fields[3]), errors)
        served, missed = calls.get("accept", calls.get("accept4", (0, 0)))
        calls.pop("total", None)
        if served > missed:
            case.calls = {name: round(count / (served - missed), 2)
                          for name, (count, _) in sorted(calls.items())}
            case.calls_per_request = round(
                sum(count for count, _ in calls.values()) /
                (served - missed), 1)
