# SPDX-License-Identifier: Apache-2.0
"""Endpoints as a customer registers them, and what every delivery to one is
held to."""

import base64
import datetime
import json
import os
import re
import secrets
import signal
import subprocess
import threading

import pytest
from conftest import exact, until
from private import run_folder, wait_for
from receiver import Authority, Receiver


# As docs/webhooks.md gives it to the customers, who have it from the published
# documents: not one letter may differ.

import hmac, hashlib

def verify_webhook(payload, signature, secret):
    expected = hmac.new(
        secret.encode(),
        payload.encode(),
        hashlib.sha256
    ).hexdigest()
    return hmac.compare_digest(expected, signature)


class Judge:
    """The published Standard Webhooks library, in a process of its own."""

    def __init__(self, env):
        self.process = subprocess.Popen(
            ["node", env.src / "tests/npm/signature.js"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ,
                 "NODE_PATH": os.environ["CARDSTOCK_NODE_MODULES"]})
        self.lock = threading.Lock()

    def verdict(self, request, secret, body=None, **headers):
        """'ok', or why the library refuses it."""
        body = request.body if body is None else body
        question = {
            "secret": secret, "body": base64.b64encode(body).decode(),
            "headers": {**dict(request.headers), **headers}}
        with self.lock:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            return self.process.stdout.readline().strip()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture(scope="session")
def judge(env):
    judge = Judge(env)
    yield judge
    judge.stop()


def signatures(request):
    """The parts of webhook-signature, each of them well formed."""
    parts = request.header("webhook-signature").split(" ")
    for part in parts:
        assert re.fullmatch(r"v1,[A-Za-z0-9+/]{43}=", part), part
    return parts


class Endpoint:
    """A registered endpoint and the path on the receiver that it leads to."""

    def __init__(self, api, receiver, judge, events=("*",), url=None,
                 behaviour=(), **fields):
        self.api, self.receiver, self.judge = api, receiver, judge
        self.path = "/" + secrets.token_hex(8)
        if behaviour:
            receiver.on(self.path, *behaviour)
        made = api.post("/webhooks", {
            "url": url or receiver.url(self.path), "events": list(events),
            **fields})
        assert made.status == 201, made
        self.id, self.secret = made["id"], made["secret"]
        self.made = made

    def get(self):
        reply = self.api.get(f"/webhooks/{self.id}")
        assert reply.status == 200, reply
        return reply

    def patch(self, **fields):
        reply = self.api.patch(f"/webhooks/{self.id}", fields)
        assert reply.status == 200, reply
        return reply

    def post(self, verb, body=None):
        return self.api.post(f"/webhooks/{self.id}/{verb}", body)

    def ping(self):
        reply = self.post("ping")
        assert reply.status == 200, reply
        return reply.body

    def deliveries(self, **query):
        reply = self.api.get(f"/webhooks/{self.id}/deliveries", **query)
        assert reply.status == 200, reply
        return reply["data"]

    def delivery(self, event_id):
        rows = self.deliveries(event_id=event_id)
        assert len(rows) == 1, rows
        return rows[0]

    def attempted(self, event_id, attempts=1, seconds=30):
        """The delivery, once it shows so many attempts."""
        wait_for(f"attempt {attempts} of {event_id}", lambda: any(
            len(row["attempts"]) >= attempts
            for row in self.deliveries(event_id=event_id)), seconds)
        # Anew: a row is read before its attempts.
        return self.delivery(event_id)

    def finished(self, event_id, status="delivered", seconds=30):
        return wait_for(f"{event_id} {status}", lambda: next(
            (row for row in self.deliveries(event_id=event_id)
             if row["status"] == status), None), seconds)

    # What came.

    def on(self, *behaviours):
        self.receiver.on(self.path, *behaviours)

    def came(self):
        return self.receiver.at(self.path)

    def ids(self):
        return [request.id for request in self.came()]

    def types(self):
        return [json.loads(request.body)["type"] for request in self.came()]

    def wait(self, count=1, seconds=20):
        """At least so many different events; everything that came is
        verified."""
        found = self.receiver.wait(self.path, count, seconds,
                                   key=lambda request: request.id)
        for request in found:
            self.verify(request)
        return found

    def quiet(self, count, seconds=0.5):
        return self.receiver.quiet(self.path, count, seconds)

    def verify(self, request, secret=None):
        """What holds of every delivery."""
        secret = secret or self.secret
        body = exact(request.body.decode())
        assert (request.method, request.version) == ("POST", "HTTP/1.1")
        assert request.header("content-type") == "application/json"
        assert int(request.header("content-length")) == len(request.body)
        assert request.header("user-agent").startswith("Cardstock-Webhook/")
        assert request.header("expect") is None
        assert re.fullmatch(r"evt_[0-9A-Za-z]{20}", request.id)
        assert list(body) == ["id", "type", "created_at", "livemode",
                              "sequence", "data"]
        assert body["id"] == request.id
        assert abs(int(request.header("webhook-timestamp")) - request.at) < 5
        signatures(request)
        assert verify_webhook(request.body.decode(),
                              request.header("x-webhook-signature"), secret)
        assert self.judge.verdict(request, secret) == "ok"
        for number in self.api.stack.card_numbers:
            assert number.encode() not in request.body
        return body


@pytest.fixture
def receiver(env):
    with Receiver((env.server_cert, env.server_key)) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def authority(env, tmp_path_factory):
    return Authority(env, tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def hook(account, receiver, judge):
    """Makes endpoints of the account's test world, or of another's."""
    def make(*events, api=None, receiver=receiver, **fields):
        return Endpoint(api or account.test, receiver, judge,
                        events or ("*",), **fields)
    return make


def event_of(api, **query):
    """The newest event."""
    return api.get("/events", per_page=1, **query)["data"][0]


def moment(text):
    """Seconds since 1970 of an API's time."""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=datetime.timezone.utc).timestamp()


def advance(api, seconds):
    """Moves test time on; answers what it is then."""
    reply = api.post("/simulate/clock", {"advance_seconds": int(seconds)})
    assert reply.status == 201, reply
    return moment(reply["now"])


# --- couriers -----------------------------------------------------------------


class Courier:
    """A courier of a test's own on the stack's database. Its configuration
    is the stack's but for these; None leaves a line out."""

    def __init__(self, env, folder, **config):
        self.folder = folder
        self.config = folder / "courier.conf"
        self.log = folder / "courier.log"
        self.program = os.path.join(
            os.environ.get("CARDSTOCK_BUILD") or
            (env.var / "build.path").read_text().strip(),
            "cardstock-courier")
        kept = [line for line in
                (env.var / "cardstock.conf").read_text().splitlines()
                if line.partition("=")[0].strip() not in config]
        self.config.write_text("\n".join(kept) + "\n" + "".join(
            f"{name} = {value}\n" for name, value in config.items()
            if value is not None))
        self.processes = []
        self.started = 0

    def start(self, **variables):
        self.started += 1
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [self.program, "--config", self.config], stderr=log,
                stdin=subprocess.DEVNULL, env={**os.environ, **variables})
        self.processes.append(process)
        wait_for("the courier starts", lambda: self.text().count(
            "event=started") >= self.started or process.poll() is not None)
        assert process.poll() is None, self.text()
        return process

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def kill(self, process):
        process.kill()
        process.wait()
        self.processes.remove(process)

    def stop(self, sign=signal.SIGTERM):
        """Their exit codes."""
        for process in self.processes:
            assert process.poll() is None, self.text()
            process.send_signal(sign)
        codes = [process.wait(40) for process in self.processes]
        self.processes = []
        return codes

    def check(self):
        log = self.text()
        assert "BROKEN" not in log and "Sanitizer" not in log and \
            "runtime error" not in log, log


@pytest.fixture(scope="module")
def no_courier(env):
    """The stack's own courier stands aside; afterwards it is there again."""
    run = run_folder(env)
    supervisor = run / "courier.supervisor.pid"
    os.kill(int(supervisor.read_text()), signal.SIGTERM)
    assert until(lambda: not supervisor.exists(), 40)
    yield
    with open(env.var / "log/courier.log", "ab") as log:
        subprocess.Popen(
            [env.src / "dev", "_supervise", "courier"], stdout=log,
            stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "CARDSTOCK_VAR": str(env.var)})
    assert until(lambda: (run / "courier.pid").exists(), 40)


@pytest.fixture
def courier(env, tmp_path, no_courier):
    """Makes couriers that differ from the stack's in this."""
    made = []

    def make(**config):
        folder = tmp_path / f"courier-{len(made)}"
        folder.mkdir()
        made.append(Courier(env, folder, **config))
        return made[-1]

    yield make
    for courier in made:
        courier.stop(signal.SIGKILL)
    for courier in made:
        courier.check()
