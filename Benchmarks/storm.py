#!/usr/bin/env python3
"""Sends a storm of alerts to a daemon that is killed every few seconds, with a receiver that often fails.

At the end every last state of an alert must have been delivered. A notification that is equal to the last accepted one
of its group is a repetition: none may be of an answer that was finished more than 100 ms before the kill. Exits with 1
if one of both does not hold.

    python3 Benchmarks/storm.py --martlet .build/debug/martlet [--groups 1000] [--alerts 10] [--seconds 120]
"""

import argparse
import datetime
import http.client
import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

# The time after an answer in which a kill may lose its record, s.
GRACE = 0.1


class Receiver:
    """A webhook that fails at random, and that remembers what it accepted and when the answer was finished."""

    def __init__(self, failing, seed):
        self.lock = threading.Lock()
        self.random = random.Random(seed)
        self.failing = failing
        self.accepted = {}
        self.requests = self.failures = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                state = {a["labels"]["id"]: a["status"] for a in body["alerts"]}
                with receiver.lock:
                    receiver.requests += 1
                    fails = receiver.random.random() < receiver.failing
                    receiver.failures += fails
                self.wfile.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % (b"503 No" if fails else b"200 OK"))
                if not fails:
                    now = time.monotonic()
                    with receiver.lock:
                        receiver.accepted.setdefault(body["groupLabels"]["group"], []).append((now, state))

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_):
                """The daemon was killed during a request."""

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self):
        with self.lock:
            return self.requests


class Daemon:
    def __init__(self, options, folder, receiver):
        (folder / "prometheus.yml").write_text("{}\n")
        (folder / "alerting.yml").write_text(
            "route: {receiver: hook, group_by: [group], group_wait: 1s, group_interval: 5s, repeat_interval: 4h}\n"
            "inhibit_rules: [{source_matchers: [severity=none], target_matchers: [severity=page]}]\n"
            "receivers:\n"
            f"- {{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{receiver.server.server_port}/'}}]}}\n")
        self.port = options.port
        self.log = folder / "log"
        self.command = [
            options.martlet, f"--config.file={folder}/prometheus.yml", f"--alerting.config.file={folder}/alerting.yml",
            f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{options.port}"]
        self.process = None
        self.kills = []
        self.cpu = 0.0

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT)
        for _ in range(1200):
            if self.process.poll() is None and self.ask("GET", "/-/ready", timeout=2) == 200:
                return
            time.sleep(0.05)
        sys.exit("the daemon does not start: " + self.log.read_text()[-2000:])

    def kill(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        self.cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        self.kills.append(time.monotonic())
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, method, path, body=None, timeout=20):
        """The status of the answer; None without one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


class Sender:
    """Sends each state until it is accepted, as Prometheus does; later states of an alert replace earlier ones."""

    def __init__(self, daemon, options):
        self.daemon, self.options = daemon, options
        self.lock = threading.Lock()
        self.firing = {}
        self.waiting = set()
        self.sending = False
        threading.Thread(target=self.run, daemon=True).start()

    def change(self, alerts, fires):
        with self.lock:
            for alert in alerts:
                self.firing[alert] = fires
                self.waiting.add(alert)

    def is_done(self):
        with self.lock:
            return not self.waiting and not self.sending

    def run(self):
        while True:
            with self.lock:
                batch = {alert: self.firing[alert] for alert in list(self.waiting)[:500]}
                self.waiting -= set(batch)
                self.sending = bool(batch)
            if batch and self.daemon.ask("POST", "/api/v2/alerts", json.dumps(self.body(batch))) != 200:
                with self.lock:
                    self.waiting |= set(batch)
            time.sleep(0.01 if batch else 0.05)

    @staticmethod
    def body(batch):
        now = datetime.datetime.now(datetime.timezone.utc)
        def text(seconds):
            return (now + datetime.timedelta(seconds=seconds)).isoformat()
        return [
            {"labels": {"alertname": "Storm", "group": str(group), "id": f"{group}-{alert}", "severity": "page"},
             "startsAt": text(-2), "endsAt": text(3600 if fires else 0)}
            for (group, alert), fires in batch.items()]


def lost_states(receiver, sender):
    """Alerts of which the last accepted status is not the last state."""
    last = {}
    for notifications in receiver.accepted.values():
        for _, state in notifications:
            last.update(state)
    return [
        alert for (group, number), fires in sender.firing.items() for alert in [f"{group}-{number}"]
        if last.get(alert, "resolved") != ("firing" if fires else "resolved")]


def repetitions(receiver, kills):
    """The repetitions, each with the time from the answer to the kill after it; None if no kill lies between."""
    found = []
    for group, notifications in receiver.accepted.items():
        for (first, state), (second, again) in zip(notifications, notifications[1:]):
            if state == again:
                between = [kill for kill in kills if first < kill < second]
                found.append((group, between[0] - first if between else None))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--martlet", required=True)
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--alerts", type=int, default=10, help="alerts of each group")
    parser.add_argument("--seconds", type=int, default=120, help="time with kills")
    parser.add_argument("--kill-every", type=float, default=4, help="average seconds from one start to its kill")
    parser.add_argument("--failing", type=float, default=0.4, help="part of the requests that the receiver refuses")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--port", type=int, default=19490)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    chance = random.Random(options.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="storm-"))
    receiver = Receiver(options.failing, options.seed)
    daemon = Daemon(options, folder, receiver)
    try:
        sender = Sender(daemon, options)
        daemon.start()
        end = time.monotonic() + options.seconds
        sender.change([(g, a) for g in range(options.groups) for a in range(options.alerts)], True)
        while time.monotonic() < end:
            wait = time.monotonic() + options.kill_every * chance.uniform(0.3, 1.7)
            while time.monotonic() < wait:
                group = chance.randrange(options.groups)
                alerts = [(group, a) for a in range(options.alerts) if chance.random() < 0.5]
                sender.change(alerts, chance.random() < 0.5)
                time.sleep(max(0.005, 20 / options.groups))
            daemon.kill()
            daemon.start()
        calm = time.monotonic()
        # Groups retry for ten seconds and are flushed again after five.
        while time.monotonic() < calm + 180:
            before = receiver.count()
            time.sleep(20)
            if sender.is_done() and receiver.count() == before:
                break
        settled = time.monotonic() - calm
        daemon.kill()
        with receiver.lock:
            lost = lost_states(receiver, sender)
            repeated = repetitions(receiver, daemon.kills)
            accepted = sum(len(n) for n in receiver.accepted.values())
        early = [entry for entry in repeated if entry[1] is None or entry[1] > GRACE]
        print(f"{options.groups} groups of {options.alerts} alerts, {len(daemon.kills) - 1} kills in {options.seconds} s")
        print(f"{receiver.requests} requests, {receiver.failures} refused, {accepted} notifications accepted")
        print(f"CPU {daemon.cpu:.1f} s; quiet at most {settled:.0f} s after the last kill")
        print(f"last states not delivered: {len(lost)} {lost[:5]}")
        print(f"repeated although answered more than {GRACE * 1000:.0f} ms before the kill: {len(early)} {early[:5]}")
        print(f"repeated although answered less than {GRACE * 1000:.0f} ms before the kill: {len(repeated) - len(early)}")
        return 1 if lost or early else 0
    finally:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
