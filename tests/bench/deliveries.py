# SPDX-License-Identifier: Apache-2.0
"""Deliveries of ./dev bench: events to receivers over TLS, against what the
sender does by itself."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

from common import (BUILD, STACK, Case, cards_fill, cards_make, children, fail,
                    process_us, read_or, run, say)

SPREAD = 100        # endpoints, in WALLETS wallets
WALLETS = 10
HANGING = 10        # of them, one a wallet
CARDS = 4           # a wallet of these
IN_FLIGHT = 16      # to one endpoint: courier_per_endpoint
AT_ONCE = 256       # claimed by hand: as couriers do when there is much
PACE = 30           # events a second to 90 or 100 endpoints, 9 or 10 each
TYPE = "card.updated"


# --- the receivers -----------------------------------------------------------

class Receiver:
    """An nginx of its own that answers 200, whatever the host's name. Each
    endpoint has a name of its own below localhost, so that a courier keeps
    connections for each. Below /hang the request is read and never
    answered."""

    def __init__(self, stack):
        self.port, self.closed_port = stack.port + 3, stack.port + 4
        self.folder = STACK / "receiver"
        self.log = self.folder / "arrivals.log"
        (self.folder / "tmp").mkdir(parents=True)
        self.log.touch()
        self.hang_path = stack.run_dir / "hang.sock"
        self.certificate_make()
        self.configure()
        # Whoever connects waits in its queue for good.
        self.hang = socket.socket(socket.AF_UNIX)
        self.hang.bind(str(self.hang_path))
        self.hang.listen(4096)
        self.process = subprocess.Popen(
            ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf",
             "-e", "stderr"])
        self.offset = 0
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("::1", self.port)).close()
                return
            time.sleep(0.1)
        fail("the receiver does not start")

    def certificate_make(self):
        tls, name = STACK / "tls", self.folder / "server"
        pathlib.Path(f"{name}.ext").write_text(
            "subjectAltName=DNS:*.bench.localhost\n"
            "extendedKeyUsage=serverAuth\n")
        run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=receiver",
             "-keyout", f"{name}.key", "-out", f"{name}.csr"])
        run(["openssl", "x509", "-req", "-in", f"{name}.csr", "-days", "30",
             "-CA", tls / "ca.pem", "-CAkey", tls / "ca.key",
             "-CAcreateserial", "-extfile", f"{name}.ext", "-out",
             f"{name}.pem"])

    def configure(self):
        (self.folder / "nginx.conf").write_text(f"""
{'user root;' if os.geteuid() == 0 else ''}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {self.folder}/pid;
error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  log_format arrivals '$msec $http_webhook_id $host';
  access_log {self.log} arrivals buffer=64k flush=1s;
  client_body_temp_path {self.folder}/tmp/body;
  proxy_temp_path {self.folder}/tmp/proxy;
  fastcgi_temp_path {self.folder}/tmp/fastcgi;
  scgi_temp_path {self.folder}/tmp/scgi;
  uwsgi_temp_path {self.folder}/tmp/uwsgi;
  keepalive_requests 1000000;
  keepalive_timeout 120s;
  server {{
    listen 127.0.0.1:{self.port} ssl backlog=4096;
    listen [::1]:{self.port} ssl backlog=4096;
    ssl_certificate {self.folder}/server.pem;
    ssl_certificate_key {self.folder}/server.key;
    location / {{ return 200; }}
    location /hang {{
      access_log off;
      proxy_read_timeout 120s;
      proxy_pass http://unix:{self.hang_path};
    }}
  }}
}}
""")

    def url(self, host, path="/"):
        return f"https://{host}.bench.localhost:{self.port}{path}"

    def mark(self):
        """What arrives from now on."""
        self.flush()
        self.offset = self.log.stat().st_size

    def flush(self):
        os.kill(int((self.folder / "pid").read_text()), signal.SIGUSR1)
        time.sleep(0.3)

    def arrivals(self):
        """(seconds, event, host) since the mark, of each event and host the
        first, in order."""
        seen = {}
        with open(self.log) as file:
            file.seek(self.offset)
            for line in file:
                fields = line.split()
                if len(fields) == 3 and line.endswith("\n"):
                    seen.setdefault((fields[1], fields[2].partition(".")[0]),
                                    float(fields[0]))
        return sorted((at, *what) for what, at in seen.items())

    def count(self):
        """About how many have come since the mark."""
        with open(self.log) as file:
            file.seek(self.offset)
            return sum(1 for _ in file)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.hang.close()


# --- couriers ----------------------------------------------------------------

class Couriers:
    """So many of them at work inside a with statement."""

    def __init__(self, number, prefix=()):
        self.number, self.prefix = number, list(prefix)

    def __enter__(self):
        with open(STACK / "log" / "bench-courier.log", "a") as log:
            self.processes = [subprocess.Popen(
                [*self.prefix, BUILD / "cardstock-courier", "--config",
                 STACK / "cardstock.conf"], stderr=log)
                for _ in range(self.number)]
        return self

    @property
    def pids(self):
        own = [process.pid for process in self.processes]
        return [child for pid in own for child in children(pid)] or own

    def __exit__(self, *_):
        # What is in flight to those that hang need not end.
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.wait()

    def processor_us(self):
        return sum(map(process_us, self.pids))


def stop_own(stack):
    """The stack's own courier; ./dev down does not mind."""
    supervisor = stack.pid("courier.supervisor")
    os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while (stack.run_dir / "courier.supervisor.pid").exists():
        if time.monotonic() > deadline:
            fail("the stack's courier does not end")
        time.sleep(0.1)


# --- events ------------------------------------------------------------------

def ids_of(stack, cards):
    names = ",".join(f"'{card}'" for card in cards)
    return [row[0] for row in stack.sql("owner", f"""
        SELECT id FROM cards WHERE public_id IN ({names})""")]


def events_make(stack, cards, count):
    """So many events, of the cards in turn, as card_event makes them."""
    ids = ",".join(ids_of(stack, cards))
    rounds = max(1, count // len(cards))
    stack.sql("owner", f"""
        DELIMITER //
        BEGIN NOT ATOMIC
          FOR i IN 1..{rounds} DO
            START TRANSACTION;
            UPDATE cards SET event_sequence = event_sequence + 1
             WHERE id IN ({ids});
            INSERT INTO events (public_id, wallet_id, card_id, sequence, type,
                                snapshot, created_at)
            SELECT CONCAT('evt_', LEFT(SHA1(UUID()), 20)), s.wallet_id, s.id,
                   c.event_sequence, '{TYPE}', s.snapshot, UTC_TIMESTAMP(6)
              FROM card_snapshots AS s JOIN cards AS c ON c.id = s.id
             WHERE s.id IN ({ids});
            COMMIT;
          END FOR;
        END//""")
    return rounds * len(cards)


def queue_clear(world):
    """But for what waits for the dead endpoint."""
    world.stack.sql("owner", f"""
        DELETE FROM deliveries
         WHERE queue_webhook_id > 0 AND queue_webhook_id <> {world.dead};
        UPDATE webhooks SET leased_by = NULL, leased_until = NULL,
               held_until = NULL, failing_since = NULL
         WHERE id <> {world.dead};""")


def webhook_make(stack, account, url, events):
    connection = stack.connection()
    connection.request("POST", "/v1/webhooks", json.dumps(
        {"url": url, "events": events}), {
            "Authorization": f"Bearer {account.key}",
            "Content-Type": "application/json"})
    reply = connection.getresponse()
    answer = json.loads(reply.read())
    connection.close()
    if reply.status != 201:
        fail(f"POST /v1/webhooks answered {answer}")
    return answer["id"]


def event_read(stack, account):
    """The text of an event, as it is sent."""
    connection = stack.connection()
    connection.request("GET", "/v1/events?per_page=1", headers={
        "Authorization": f"Bearer {account.key}"})
    page = json.loads(connection.getresponse().read())
    connection.close()
    return json.dumps(page["data"][0], separators=(",", ":"))


class World:
    """The endpoints: a fast one of an account with many cards, a hundred of
    ten others, and a dead one."""

    def __init__(self, bench, listed, spread):
        self.bench, self.stack = bench, bench.stack
        self.receiver = Receiver(self.stack)
        self.dead = 0
        self.listed, self.wide = listed, spread[:WALLETS]
        self.dead_account = spread[WALLETS]
        connection = self.stack.connection()
        for account in [*self.wide, self.dead_account]:
            cards_make(connection, account, CARDS - 1)
        connection.close()
        self.fast = webhook_make(self.stack, listed, self.receiver.url("fast"),
                                 [TYPE])
        self.hanging, self.hosts = [], []
        for number, account in enumerate(self.wide):
            for place in range(SPREAD // WALLETS):
                host = f"e{number}x{place}"
                made = webhook_make(self.stack, account,
                                    self.receiver.url(host), [TYPE])
                if place < HANGING // WALLETS:
                    self.hanging.append(made)
                else:
                    self.hosts.append(host)

    def wide_cards(self):
        return [card for place in range(CARDS) for account in self.wide
                for card in [account.cards[place]]]

    def hang(self, how):
        """The hanging ones hang, or are not there."""
        names = ",".join(f"'{name}'" for name in self.hanging)
        url = self.receiver.url("hang", "/hang")
        what = (f"url = '{url}', disabled_at = NULL, disabled_reason = NULL"
                if how else "disabled_at = UTC_TIMESTAMP(),"
                            " disabled_reason = 'customer'")
        self.stack.sql("owner", f"""
            UPDATE webhooks SET {what} WHERE public_id IN ({names});""")

    def questions(self):
        return int(self.stack.sql(
            "owner", "SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])

    def used(self, couriers):
        return {"nginx": sum(map(process_us, children(
                    self.receiver.process.pid))),
                "worker": couriers.processor_us(),
                "mariadb": process_us(self.stack.pid("mariadb"))}


# --- cases -------------------------------------------------------------------

def sender_alone(world, hosts, in_flight):
    """What a case runs: the ceiling."""
    bench = world.bench
    urls, body = STACK / "urls.txt", STACK / "body.json"
    body.write_text(world.body)

    def runs(case):
        urls.write_text("".join(f"{world.receiver.url(h)}\n" for h in hosts))
        return json.loads(run([
            BUILD / "tests/bench/sender", urls, STACK / "tls/ca.pem", body,
            in_flight, bench.warm * 1000, bench.seconds * 1000]))
    return runs


def backlog(world, number, cards, events, hosts):
    """What a case runs: couriers that find so many events. The rate is that of
    arrivals between the first tenth and the last twentieth."""
    def runs(case):
        receiver = world.receiver
        queue_clear(world)
        expected = events_make(world.stack, cards, events) * max(
            1, len(hosts) // WALLETS)
        receiver.mark()
        asked = world.questions()
        with Couriers(number) as couriers:
            used = world.used(couriers)
            wait_for(lambda: receiver.count() >= expected, 120, case.name)
            after = world.used(couriers)
        case.answered += expected
        case.trips += world.questions() - asked - 1
        for name, us in after.items():
            case.processor[name] = (case.processor.get(name, 0) + us -
                                    used[name])
        times = [at for at, _, host in receiver.arrivals() if host in hosts]
        begin, end = len(times) // 10, len(times) * 19 // 20
        case.whole = getattr(case, "whole", 0) + expected
        return {"requests": end - begin, "latency": [],
                "us": (times[end] - times[begin]) * 1e6}
    return runs


def wait_for(what, seconds, name):
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            fail(f"{name}: not done after {seconds} s")
        time.sleep(0.1)


def latencies(world, hosts):
    """(milliseconds from the event's moment to its arrival) since the mark."""
    receiver = world.receiver
    receiver.flush()
    arrivals = [a for a in receiver.arrivals() if a[2] in hosts]
    begun = dict(world.stack.sql("owner", """
        SET time_zone = '+00:00';
        SELECT public_id, UNIX_TIMESTAMP(created_at) FROM events
         WHERE created_at > UTC_TIMESTAMP() - INTERVAL 10 MINUTE"""))
    return [(at, (at - float(begun[event])) * 1e6)
            for at, event, _ in arrivals]


class Pace(threading.Thread):
    """Events of cards in turn, each in a transaction of its own, at a pace."""

    def __init__(self, stack, cards, every_s):
        super().__init__()
        self.cards, self.every_s = ids_of(stack, cards), every_s
        self.client = subprocess.Popen(
            ["mariadb", f"--defaults-file={stack.login_file('owner')}",
             "--batch"], stdin=subprocess.PIPE, text=True)
        self.ends = threading.Event()

    def run(self):
        next_at, number = time.monotonic(), 0
        while not self.ends.wait(max(0, next_at - time.monotonic())):
            card = self.cards[number % len(self.cards)]
            self.client.stdin.write(
                f"CALL card_event({card}, '{TYPE}', NULL);\n")
            self.client.stdin.flush()
            number, next_at = number + 1, next_at + self.every_s
        self.client.stdin.close()
        self.client.wait()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.join()


def paced(world, every_s, warm_s, seconds):
    """What a case runs: events at a pace, to all that answer."""
    def runs(case):
        queue_clear(world)
        world.receiver.mark()
        with Couriers(1), Pace(world.stack, world.wide_cards(), every_s):
            time.sleep(warm_s)
            begin = time.time()
            time.sleep(seconds)
            end = time.time()
        took = [us for at, us in latencies(world, world.hosts)
                if begin <= at < end]
        return {"requests": len(took), "us": seconds * 1e6,
                "latency": [(us, 1) for us in took]}
    return runs


def idle(world, count):
    """What a case runs: changes through the API, spaced out."""
    def runs(case):
        queue_clear(world)
        world.receiver.mark()
        account, connection = world.listed, world.stack.connection()
        with Couriers(1):
            time.sleep(0.5)
            begin = time.monotonic()
            for number in range(count):
                connection.request(
                    "PATCH", f"/v1/cards/{account.cards[number % 100]}",
                    json.dumps({"label": f"Bench {random.random()}"}),
                    {"Authorization": f"Bearer {account.key}",
                     "Content-Type": "application/json"})
                reply = connection.getresponse()
                text = reply.read().decode()
                if reply.status != 200:
                    fail(f"PATCH answered {text}")
                time.sleep(random.uniform(0.02, 0.12))
            spent = time.monotonic() - begin
            wait_for(lambda: world.receiver.count() >= count, 20, case.name)
        took = [us for _, us in latencies(world, ["fast"])]
        return {"requests": len(took), "us": spent * 1e6,
                "latency": [(us, 1) for us in took]}
    return runs


# --- the parts ---------------------------------------------------------------

def measure_one(bench, world, events):
    """Everything to one receiver."""
    base, one = "sender alone, one receiver", "one receiver, one courier"
    cards = world.listed.cards
    bench.group(
        Case(base, runs=sender_alone(world, ["fast"], IN_FLIGHT)),
        Case(one, [base], runs=backlog(world, 1, cards, events, ["fast"])),
        Case("one receiver, two couriers", [base, one],
             runs=backlog(world, 2, cards, events, ["fast"])))
    bench.judge(one, "deliveries per second", round(bench.cases[one].rate),
                2000, at_least=True)
    system_calls(world, bench.cases[one], events)


def system_calls(world, case, events):
    """A courier of its own under strace, from its start to its last."""
    if not shutil.which("strace"):
        return
    path = STACK / "strace.txt"
    queue_clear(world)
    expected = events_make(world.stack, world.listed.cards, events)
    world.receiver.mark()
    with Couriers(1, ["strace", "-c", "-f", "-qq", "-o", path]):
        wait_for(lambda: world.receiver.count() >= expected, 300, case.name)
        time.sleep(0.2)
    calls = {}
    for line in read_or(path).splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdigit() and fields[-1] != "total":
            calls[fields[-1]] = int(fields[3])
    case.calls = {name: round(count / expected, 2)
                  for name, count in sorted(calls.items())}
    case.calls_per_request = round(sum(calls.values()) / expected, 1)


def p99(measured):
    took = sorted(us for us, _ in measured["latency"])
    return took[len(took) * 99 // 100]


def measure_wide(bench, world, events, seconds):
    """A hundred receivers, ten of which hang, or are not there."""
    hosts, cards = world.hosts, world.wide_cards()
    base = "sender alone, 90 receivers"
    without, hang = "90 receivers", "90 receivers, 10 hang"

    def before(how):
        return lambda: world.hang(how)
    bench.group(
        Case(base, runs=sender_alone(world, hosts, len(hosts))),
        Case(without, [base], before=before(False),
             runs=backlog(world, 1, cards, events, hosts)),
        Case(hang, [base, without], before=before(True), aims=[(without, 0.9)],
             runs=backlog(world, 1, cards, events, hosts)),
        Case("90 receivers, 10 hang, two couriers", [base, without],
             before=before(True),
             runs=backlog(world, 2, cards, events, hosts)))
    without, hang = "at a pace, 90 receivers", "at a pace, 90, 10 hang"
    bench.group(*(Case(name, runs=paced(world, 1 / PACE, 4, seconds),
                       before=before(how))
                  for name, how in ((without, False), (hang, True))))
    # The median of the rounds, as of rates: one burst of other work in a round
    # is all of a p99.
    ratios = [p99(mine) / p99(its) for mine, its in zip(
        bench.cases[hang].rounds, bench.cases[without].rounds)]
    bench.judge(hang, "p99 of that without those that hang",
                round(statistics.median(ratios), 2), 1.1)


def measure_idle(bench, world, count):
    name = "idle, from commit to arrival"
    bench.group(Case(name, runs=idle(world, count)))
    bench.judge(name, "p50 ms", bench.cases[name].latency_us(0.5) / 1000, 100)


# --- a backlog at a dead endpoint --------------------------------------------

def dead_make(world):
    account = world.dead_account
    name = webhook_make(
        world.stack, account,
        f"https://dead.bench.localhost:{world.receiver.closed_port}/", ["*"])
    world.dead = world.stack.sql("owner", f"""
        SELECT id FROM webhooks WHERE public_id = '{name}'""")[0][0]
    cards_fill(world.stack, [(account, card) for card in account.cards])


def dead_fill(world, count):
    """Events of the dead endpoint's wallet, and their deliveries: rows as the
    trigger would have left them."""
    card = ids_of(world.stack, world.dead_account.cards)[0]
    world.stack.sql("owner", f"""
        SET unique_checks = 0, foreign_key_checks = 0;
        UPDATE webhooks SET disabled_at = UTC_TIMESTAMP(),
               disabled_reason = 'customer' WHERE id = {world.dead};
        SELECT wallet_id, event_sequence INTO @wallet, @sequence FROM cards
         WHERE id = {card};
        SELECT snapshot INTO @snapshot FROM card_snapshots WHERE id = {card};
        SELECT MAX(id) INTO @last FROM events;
        START TRANSACTION;
        INSERT INTO events (public_id, wallet_id, card_id, sequence, type,
                            snapshot, created_at)
        SELECT CONCAT('evt_', LEFT(SHA1(CONCAT('dead', seq)), 20)), @wallet,
               {card}, @sequence + seq, '{TYPE}', @snapshot, UTC_TIMESTAMP(6)
          FROM seq_1_to_{count};
        UPDATE cards SET event_sequence = event_sequence + {count}
         WHERE id = {card};
        INSERT INTO deliveries (webhook_id, event_id, wallet_id, card_id,
                                queue_webhook_id, due_at, created_at)
        SELECT {world.dead}, id, wallet_id, card_id, {world.dead},
               '1970-01-01', created_at
          FROM events WHERE id > @last AND card_id = {card};
        COMMIT;
        UPDATE webhooks SET disabled_at = NULL, disabled_reason = NULL
         WHERE id = {world.dead};
        ANALYZE TABLE events, deliveries;""")


def dead_hold(world, how):
    """Its backlog rests, or couriers work on it."""
    until = "'2100-01-01'" if how else "NULL"
    world.stack.sql("owner", f"""
        UPDATE webhooks SET leased_by = NULL, leased_until = NULL,
               held_until = {until} WHERE id = {world.dead};""")


def timed(world, statements):
    """Microseconds of each statement, of a client that stays connected."""
    text = "SELECT 'at', SYSDATE(6) + 0;" + "".join(
        f"{statement}; SELECT 'at', SYSDATE(6) + 0;"
        for statement in statements)
    times, rows, counts = [], 0, []
    for row in world.stack.sql("owner", text):
        if row[0] != "at":
            # A sealed secret may hold a line's end: then a row is two lines.
            rows += row[0].isdigit() and len(row) > 5
            continue
        # HHMMSS.ffffff is enough.
        clock = row[1][8:]
        times.append(int(clock[0:2]) * 3600 + int(clock[2:4]) * 60 +
                     float(clock[4:]))
        counts.append(rows)
        rows = 0
    return [((b - a) * 1e6, n) for a, b, n in zip(times, times[1:],
                                                  counts[1:])]


def claim_cost(world, what, rounds):
    """What claiming and recording costs a delivery of the fast endpoint, and
    a look that finds nothing, in microseconds."""
    bench, stack = world.bench, world.stack
    claim = f"CALL courier_claim('bench', {AT_ONCE}, {AT_ONCE}, 20, '')"
    record = f"""SELECT JSON_ARRAYAGG(JSON_OBJECT('id', id, 'claim', claim,
          'outcome', 'delivered', 'status', 200, 'ms', 1,
          'at', CAST(UTC_TIMESTAMP(6) AS CHAR))) INTO @done FROM deliveries
         WHERE queue_webhook_id = (SELECT id FROM webhooks
          WHERE public_id = '{world.fast}')
           AND leased_until > UTC_TIMESTAMP(6)"""
    events_make(stack, world.listed.cards, AT_ONCE * rounds)
    took = timed(world, [claim, record, "CALL courier_record(@done)"] * rounds
                 + [claim] * 20)
    claims, records = took[0:3 * rounds:3], took[2:3 * rounds:3]
    if any(n != AT_ONCE for _, n in claims[:-1]):
        fail(f"claims answered {[n for _, n in claims]}")
    per = {"claim": min(us for us, _ in claims) / AT_ONCE,
           "record": min(us for us, _ in records) / AT_ONCE,
           "empty claim": min(us for us, _ in took[-20:])}
    return {name: bench.figure(f"{what}: {name}", round(us, 1), "µs" if
                               name == "empty claim" else "µs a delivery")
            for name, us in per.items()}


def api_cases(world, name, before, ceilings=()):
    """A card and an authorization of the dead endpoint's own wallet."""
    account, stack = world.dead_account, world.stack

    def get(card):
        return ("GET", f"/v1/cards/{card}", account.key, "")
    return [
        Case(f"GET card, {name}", [f"GET card, {c}" for c in ceilings],
             requests=[get(card) for card in account.cards],
             port=stack.port, clients=2, before=before),
        Case(f"authorization, {name}",
             [f"authorization, {c}" for c in ceilings],
             network=account.cards, clients=2, before=before)]


def measure_backlog(bench, world, million, events, rounds):
    stack, cards = world.stack, world.listed.cards
    dead_make(world)
    queue_clear(world)
    dead_hold(world, True)
    before = claim_cost(world, "empty queue", rounds)
    alone = "one receiver, no backlog"
    with Couriers(1):
        # A card that pays costs a look at its limits from then on.
        bench.processor(api_cases(world, "", None)[1], 1)
        bench.group(*api_cases(world, "no backlog", None))
    bench.group(Case(alone, runs=backlog(world, 1, cards, events, ["fast"])))

    queue_clear(world)
    say(f"queueing {million:,} deliveries at one dead endpoint")
    dead_fill(world, million)
    say("queued")
    name = f"{million:,} wait"
    dead_hold(world, True)
    after = claim_cost(world, f"{name}, held", rounds)
    dead_hold(world, False)
    # The dead one is offered first, once: then it is bench's and full.
    due = timed(world, [f"CALL courier_claim('bench', {AT_ONCE}, {AT_ONCE}, "
                        "1, '')"] * 3)
    bench.figure(f"{name}, claimed: claim", round(
        min(us / max(n, 1) for us, n in due), 1), "µs a delivery")
    for what in ("claim", "record"):
        bench.judge(f"{name}, {what}", "of that of an empty queue",
                    round(after[what] / before[what], 2), 1.25)

    with Couriers(1):
        bench.group(
            *api_cases(world, name, lambda: dead_hold(world, True),
                       ["no backlog"]),
            *api_cases(world, f"{name}, courier at it",
                       lambda: dead_hold(world, False),
                       ["no backlog", name]))
    bench.group(
        Case(f"one receiver, {name}, held", [alone],
             runs=aside(world, True, cards, events)),
        Case(f"one receiver, {name}, courier at it", [alone],
             runs=aside(world, False, cards, events)))


def aside(world, held, cards, events):
    """What a case runs: a backlog for the fast endpoint beside the dead."""
    def runs(case):
        dead_hold(world, held)
        return backlog(world, 1, cards, events, ["fast"])(case)
    return runs


def measure(bench, listed, spread, million):
    stack, quick = bench.stack, million < 100_000
    stop_own(stack)
    world = World(bench, listed, spread)
    try:
        world.body = event_read(stack, listed)
        events = 6_000 if quick else 10_000
        measure_one(bench, world, events)
        measure_idle(bench, world, 60 if quick else 300)
        measure_wide(bench, world, events // 9, 8 if quick else 20)
        measure_backlog(bench, world, million, events, 12)
        say("the audit of what was made")
        stack.dev("audit")
    finally:
        world.receiver.stop()
