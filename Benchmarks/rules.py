#!/usr/bin/env python3
"""Compares the CPU time that two daemons need to evaluate alerting rules.

Both scrape the same page at the same time, first without rules, then with them. The difference of the CPU seconds of
the process in windows of equal length is the cost of the rules.

    python3 Benchmarks/rules.py --martlet .build/release/martlet [--prometheus prometheus] [--rules 10000]
"""

import argparse
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


def page(series, metrics, round_number):
    """A page of gauges and counters; one instance in a hundred of each metric is above the limits of the rules."""
    per_metric = series // metrics
    lines = []
    for metric in range(metrics):
        is_counter = metric % 3 == 1
        name = f"bench_{metric:04d}_{'requests_total' if is_counter else 'load'}"
        lines.append(f"# TYPE {name} {'counter' if is_counter else 'gauge'}")
        for index in range(per_metric):
            labels = f'shard="{index % 10}",host="host-{index:03d}",zone="zone-{index % 3}"'
            is_high = index == metric % per_metric
            if is_counter:
                value = round_number * (9000 if is_high else 60 + index % 7)
            else:
                value = 95 if is_high else (index * 7 + metric + round_number) % 80
            lines.append(f"{name}{{{labels}}} {value}")
    return ("\n".join(lines) + "\n").encode()


def rule_files(folder, count, metrics, interval):
    """Rules in groups of 100: limits of gauges, rates of counters, and sums by a label; a tenth of the series each."""
    groups = []
    for first in range(0, count, 100):
        lines = [f"- name: group-{first // 100}", f"  interval: {interval}s", "  rules:"]
        for rule in range(first, min(first + 100, count)):
            metric, shard = rule % metrics, rule // metrics % 10
            if metric % 3 == 1:
                expression = f'rate(bench_{metric:04d}_requests_total{{shard="{shard}"}}[2m]) > 100'
            elif metric % 3 == 2:
                expression = f'sum by (zone) (bench_{metric:04d}_load{{shard="{shard}"}}) > 1000'
            else:
                expression = f'bench_{metric:04d}_load{{shard="{shard}"}} > 90'
            lines += [
                f"  - alert: Bench{rule}", f"    expr: '{expression}'", "    for: 1m",
                "    labels: {severity: page}",
                "    annotations: {summary: '{{ $labels.host }} is at {{ $value | humanize }}'}",
            ]
        groups += lines
    (folder / "rules.yml").write_text("groups:\n" + "\n".join(groups) + "\n")


class Target:
    def __init__(self, series, metrics):
        self.pages = [page(series, metrics, number) for number in range(40)]
        started = time.time()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                # Both daemons get the same values at a time.
                body = self.pages[min(int((time.time() - started) / 15), len(self.pages) - 1)]
                handler.send_response(200)
                handler.send_header("Content-Type", "text/plain; version=0.0.4")
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Daemon:
    def __init__(self, name, binary, folder, port, target):
        self.name, self.folder, self.port = name, folder, port
        folder.mkdir()
        self.configuration(target, has_rules=False)
        self.target = target
        self.process = subprocess.Popen(
            [binary, f"--config.file={folder}/config.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=open(folder / "log", "wb"), stderr=subprocess.STDOUT)

    def configuration(self, target, has_rules):
        (self.folder / "config.yml").write_text(
            "global: {scrape_interval: 30s, evaluation_interval: 15s}\n"
            + (f"rule_files: ['{self.folder.parent}/rules.yml']\n" if has_rules else "")
            + f"scrape_configs: [{{job_name: bench, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n")

    def add_rules(self):
        self.configuration(self.target, has_rules=True)
        self.process.send_signal(signal.SIGHUP)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return answer.read()

    def wait_ready(self):
        for _ in range(300):
            try:
                self.get("/-/ready")
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{self.name} does not start: " + (self.folder / "log").read_text()[-2000:])

    def cpu(self):
        """The CPU seconds of the process until now."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def evaluations(self):
        total = 0.0
        for line in self.get("/metrics").decode().splitlines():
            if line.startswith("prometheus_rule_evaluations_total{"):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def alerts(self):
        alerts = json.loads(self.get("/api/v1/alerts"))["data"]["alerts"]
        return sorted((a["state"], sorted(a["labels"].items())) for a in alerts)

    def stop(self):
        self.process.kill()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--martlet", required=True)
    parser.add_argument("--prometheus", default="prometheus")
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--metrics", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=60, help="length of each window; a multiple of 30")
    parser.add_argument("--port", type=int, default=19480)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rules-bench-"))
    daemons = []
    try:
        target = Target(options.series, options.metrics)
        rule_files(folder, options.rules, options.metrics, 15)
        for index, (name, binary) in enumerate([("prometheus", options.prometheus), ("martlet", options.martlet)]):
            daemons.append(Daemon(name, binary, folder / name, options.port + index, target.port))
        for daemon in daemons:
            daemon.wait_ready()
        time.sleep(45)

        def window():
            before = [(d.cpu(), d.evaluations()) for d in daemons]
            time.sleep(options.seconds)
            return [(d.cpu() - cpu, d.evaluations() - count) for d, (cpu, count) in zip(daemons, before)]

        idle = window()
        for daemon in daemons:
            daemon.add_rules()
        # The alerts are pending for a minute; then their number stays.
        time.sleep(90)
        loaded = [window(), window()]
        print(f"{options.rules} rules, {options.series} series, windows of {options.seconds} s")
        costs = []
        for index, daemon in enumerate(daemons):
            rounds = [(w[index][0] - idle[index][0]) / max(w[index][1], 1) for w in loaded]
            costs.append(sum(rounds) / len(rounds))
            print(
                f"{daemon.name}: CPU without rules {idle[index][0]:.2f} s, with rules "
                + " and ".join(f"{w[index][0]:.2f} s" for w in loaded)
                + "; evaluations " + " and ".join(f"{w[index][1]:.0f}" for w in loaded)
                + f"; {costs[-1] * 1e6:.1f} us for each rule, {len(daemon.alerts())} alerts")
        print(f"martlet / prometheus: {costs[1] / costs[0]:.3f}")
        alerts = [d.alerts() for d in daemons]
        print("alerts are", "equal" if alerts[0] == alerts[1] else "DIFFERENT")
    finally:
        for daemon in daemons:
            daemon.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
