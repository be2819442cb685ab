#!/usr/bin/env python3
"""Runs the tests and reports on them: one screen at the end, everything else in a log file.

The test program runs once per module, several at a time, its tests one after the other: so a crash ends one module only
and is blamed on one test, times are those of the test itself, and what a test wrote stands between its start and its
end. Each process writes Swift Testing's event stream (a JSON document per line) into a file, which is followed here.

The tests have a directory for temporary files of their own, which must be empty at the end.

The exit status is 0 if every test passed, 1 if one failed, left a file or a process crashed, 124 if one hung, 130 if the run was
interrupted.
"""

import argparse
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

WIDTH = 160
"""The longest line of the report, in characters."""
NAMED = 25
"""So many failed tests are named in the last lines; the log names all."""


def duration(seconds):
    """A duration as text: `0.04 s`, `12.3 s`, `5 min 40 s`."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def clip(text, width=WIDTH):
    """One line of at most `width` characters, without control characters."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= width else line[: width - 1] + "…"


def count_of(number, what):
    """`1 test`, `2 tests`, `1,200 tests`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


class Test:
    """One test function, as the event stream tells it."""

    def __init__(self, identifier, name, line):
        self.identifier = identifier
        self.name = name
        self.place = line
        self.label = None
        """What the log calls it: `Test "name"`."""
        self.process = None
        self.started = None
        self.ended = None
        self.skipped = None
        self.issues = []
        self.failed = False

    @property
    def seconds(self):
        return None if self.started is None or self.ended is None else self.ended - self.started

    @property
    def is_running(self):
        return self.started is not None and self.ended is None and self.skipped is None


class Stream:
    """The event stream of one process; `feed` takes its bytes in pieces of any size."""

    def __init__(self, run, process=None):
        self.run = run
        self.process = process
        self.has_ended = False
        self.events = 0
        self.now = None
        self._rest = b""

    def feed(self, data):
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            try:
                record = json.loads(line)
                kind, payload = record["kind"], record["payload"]
            except (ValueError, TypeError, KeyError):
                continue
            if not isinstance(payload, dict):
                continue
            if kind == "test":
                self.run.learn(payload, self.process)
            elif kind == "event":
                self.events += 1
                instant = (payload.get("instant") or {}).get("absolute")
                if isinstance(instant, (int, float)):
                    self.now = instant
                if payload.get("kind") == "runEnded":
                    self.has_ended = True
                self.run.happened(payload, self.now)


class Run:
    """What the event streams have told so far."""

    def __init__(self):
        self.tests = {}
        self.suites = {}
        self.strays = []
        """Issues that belong to no test function: of a suite, or of a thread that outlived its test."""

    def learn(self, payload, process):
        identifier = str(payload.get("id"))
        name = str(payload.get("displayName") or payload.get("name"))
        if payload.get("kind") == "suite":
            self.suites[identifier] = name
            return
        place = payload.get("sourceLocation") or {}
        test = Test(identifier, name, f"{place.get('fileID')}:{place.get('line')}")
        test.process = process
        self.tests[identifier] = test

    def happened(self, payload, now):
        kind = payload.get("kind")
        test = self.tests.get(payload.get("testID"))
        if kind == "issueRecorded":
            self._issue(payload, test)
        if test is None:
            return
        messages = payload.get("messages") or []
        if kind == "testStarted":
            test.started = now
            test.label = " ".join(str(m.get("text")) for m in messages[:1]).removesuffix(" started.")
        elif kind == "testEnded":
            test.ended = now
            if any(m.get("symbol") == "fail" for m in messages):
                test.failed = True
        elif kind == "testSkipped":
            comments = [str(c) for c in payload.get("_comments") or []]
            text = " ".join(str(m.get("text")) for m in messages)
            reason = re.search(r'skipped: "(.*)"', text, re.S)
            test.skipped = " ".join(comments) or (reason.group(1) if reason else "no reason given")

    def _issue(self, payload, test):
        issue = payload.get("issue") or {}
        severity = issue.get("severity") or issue.get("_severity") or "error"
        if issue.get("isKnown") or severity == "warning":
            return
        place = issue.get("sourceLocation") or payload.get("_sourceLocation") or {}
        case = (payload.get("_testCase") or {}).get("displayName")
        text = "\n".join(str(m.get("text")) for m in payload.get("messages") or []) or "an issue without a text"
        if case:
            text += f"\nwith the argument {case}"
        where = f"{place.get('fileID')}:{place.get('line')}: " if place else ""
        if test is None:
            suite = self.suites.get(payload.get("testID"))
            self.strays.append((f"suite {suite}: " if suite else "outside of any test: ") + where + text)
        else:
            test.issues.append(where + text)
            test.failed = True

    def title(self, test):
        """`Suite / test`; the module's name stands for a suite that has no name."""
        identifier = test.identifier
        for _ in range(2):
            identifier = identifier.rpartition("/")[0]
        suite = self.suites.get(identifier) or test.identifier.partition(".")[0]
        return f"{suite} / {test.name}"

    @property
    def failed(self):
        return [t for t in self.tests.values() if t.failed]

    @property
    def passed(self):
        return [t for t in self.tests.values() if t.ended is not None and not t.failed and t.skipped is None]

    @property
    def skipped(self):
        return [t for t in self.tests.values() if t.skipped is not None]

    @property
    def done(self):
        """How many tests have passed, failed or been skipped."""
        return sum(1 for t in self.tests.values() if t.ended is not None or t.failed or t.skipped is not None)

    @property
    def running(self):
        """The tests that have begun and not ended, the one that runs longest first."""
        return sorted((t for t in self.tests.values() if t.is_running), key=lambda t: t.started or 0)

    def slowest(self, count=10):
        timed = [t for t in self.tests.values() if t.seconds is not None]
        return sorted(timed, key=lambda t: -t.seconds)[:count]


class Ending:
    """How a test process ended: its status, and whether it was stopped."""

    def __init__(self, name, status, has_ended, log, stalled=None):
        self.name = name
        self.status = status
        self.has_ended = has_ended
        """Whether the event stream came to its end."""
        self.log = log
        self.stalled = stalled

    def fault(self, run):
        """What is wrong with the process itself, or None."""
        if self.stalled is not None:
            return f"{self.name} hung: nothing happened for {duration(self.stalled)}, so it was ended"
        if self.status < 0:
            try:
                name = signal.Signals(-self.status).name
            except ValueError:
                name = "unknown"
            return f"{self.name} crashed: signal {-self.status} ({name})"
        if not self.has_ended:
            return f"{self.name} ended early, with status {self.status}"
        if self.status != 0 and run.done and not run.strays and not any(t.process == self.name for t in run.failed):
            return f"{self.name} ended with status {self.status}, though every test passed"
        return None


class Outcome:
    """A whole run: what the streams told, how each process ended, and how long it took."""

    def __init__(self, run, endings, seconds, total, interrupted=False):
        self.run = run
        self.endings = endings
        self.seconds = seconds
        self.total = total
        """So many tests should have run; 0 if that is not known."""
        self.interrupted = interrupted

    @property
    def faults(self):
        faults = [text for text in (ending.fault(self.run) for ending in self.endings) if text]
        if self.interrupted:
            faults.append("the run was interrupted")
        missing = self.total - self.run.done
        if not faults and not self.run.done and not self.run.strays:
            faults.append("no test ran: nothing matches the filter")
        elif missing > 0:
            faults.append(f"{count_of(missing, 'test')} did not run to the end")
        return faults

    @property
    def status(self):
        if self.interrupted:
            return 130
        if any(ending.stalled is not None for ending in self.endings):
            return 124
        return 1 if self.faults or self.run.failed or self.run.strays else 0


def file_name(identifier):
    """An identifier as a file's name. `Daemon.swift` builds the same name for the folder of a test's daemons."""
    return re.sub(r"[^A-Za-z0-9.]", "_", identifier)[:200]


def last_lines(path, size=1 << 20):
    """The lines at the end of a file."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def own_output(log, test, lines=12):
    """The last lines that the process wrote while `test` ran, without those of the testing library."""
    text = last_lines(log, 8 << 20)
    label = test.label or ""
    end = next(
        (i for i in range(len(text) - 1, -1, -1) if text[i].startswith("✘ " + label) and " failed after " in text[i]),
        None)
    if not label or end is None:
        return []
    start = next((i for i in range(end, -1, -1) if text[i] == f"◇ {label} started."), None)
    if start is None:
        return []
    return [line for line in text[start + 1 : end] if line[:1] not in tuple("◇✔✘↳➜━")][-lines:]


def daemon_output(folder, test, lines=12, count=2):
    """The last lines of what the daemons of `test` logged, by file; of those that wrote last if there are many."""
    folder = os.path.join(folder, file_name(test.identifier))
    paths = [os.path.join(folder, name) for name in os.listdir(folder)] if os.path.isdir(folder) else []
    paths = sorted((path for path in paths if os.path.getsize(path) > 0), key=os.path.getmtime)
    return [(path, last_lines(path, 65_536)[-lines:]) for path in paths[-count:]]


def crash_output(log, lines=14):
    """What a process said when it died: the error, and the frames of the thread that crashed."""
    text = last_lines(log, 4 << 20)
    said = [line for line in text if "Fatal error" in line or line.startswith("*** Program crashed")]
    start = next((i for i, line in enumerate(text) if re.match(r"Thread \d+ .*crashed:", line)), None)
    frames = []
    if start is not None:
        frames = [line for line in text[start + 1 : start + 60] if re.match(r"\s*\d+ .* in .* at ", line)]
        frames = [re.sub(r"0x[0-9a-f]+ ", "", line) for line in frames]
    return (said[-4:] + frames)[:lines]


def report(outcome, log, daemons, seed):
    """The lines of the report: `log` is the file that it points to, `daemons` the folder of daemons' logs."""
    run, faults = outcome.run, outcome.faults
    failed = run.failed
    logs = {ending.name: ending.log for ending in outcome.endings}
    out = [f"{count_of(len(run.passed), 'test')} passed in {duration(outcome.seconds)}."]

    for ending in outcome.endings:
        fault = ending.fault(run)
        if not fault:
            continue
        out += ["", clip(fault[0].upper() + fault[1:] + ".")]
        running = [test for test in run.running if test.process == ending.name]
        out += [clip(f"  running: {run.title(test)} ({test.place})") for test in running[:12]]
        if len(running) > 12:
            out.append(f"  and {len(running) - 12} more")
        if ending.stalled is not None:
            out.append("  The log has the stacks of all threads.")
        elif ending.status < 0:
            out += [clip("    " + line) for line in crash_output(ending.log)]

    if failed or run.strays:
        out += ["", f"Failed: {count_of(len(failed), 'test')}"]
        for number, test in enumerate(failed):
            out.append(clip(f"  {run.title(test)} ({test.place})"))
            if number >= NAMED:
                continue
            for issue in test.issues[:3]:
                lines = issue.splitlines()
                out += [clip("    " + line) for line in lines[:4]]
                if len(lines) > 4:
                    out.append(f"    … {count_of(len(lines) - 4, 'line')} more")
            if len(test.issues) > 3:
                out.append(f"    … {count_of(len(test.issues) - 3, 'issue')} more")
        for stray in run.strays[:5]:
            out += [clip("  " + line) for line in stray.splitlines()[:4]]
        for test in failed[:NAMED]:
            texts = [(logs.get(test.process), own_output(logs.get(test.process) or os.devnull, test))]
            for path, lines in texts + daemon_output(daemons, test):
                if lines:
                    out += ["", clip(f"Output of {run.title(test)}, from {path}:")]
                    out += [clip("    " + line) for line in lines]
        out += ["", f"The random tests used MARTLET_SEED={seed}: set it to repeat them."]

    reasons = collections.defaultdict(list)
    for test in run.skipped:
        reasons[test.skipped].append(test)
    if reasons:
        out += ["", f"Skipped: {count_of(len(run.skipped), 'test')}"]
        for reason, tests in sorted(reasons.items())[:10]:
            names = "; ".join(run.title(test) for test in tests)
            out.append(clip(f"  {reason}: {count_of(len(tests), 'test')}: {names}"))
        if len(reasons) > 10:
            out.append(f"  and {len(reasons) - 10} more reasons")
    outside = sorted({m for reason in reasons for m in re.findall(r"\.\./shared/[\w./-]*\w", reason)})
    if outside:
        out.append(clip(f"Outside suites that were not run: {', '.join(outside)}"))

    out += ["", f"All output, and the slowest tests: {log}"]
    if failed or run.strays or faults:
        problems = [count_of(len(failed), "test") + " failed"] if failed else []
        if run.strays:
            problems.append(count_of(len(run.strays), "issue") + " outside of tests")
        out.append(clip("FAILED: " + "; ".join(problems + faults)))
        # The names come last, a line each: whoever sees only the end of the output sees them.
        out += [clip("  " + run.title(test)) for test in failed[:NAMED]]
        if len(failed) > NAMED:
            out.append(f"  and {len(failed) - NAMED} more")
    else:
        out.append("PASSED")
    return out


def appendix(run):
    """What the log file gets at its end: the slowest tests, and each failed test whole."""
    out = ["", "The slowest tests:"]
    out += [f"{duration(t.seconds):>12}  {run.title(t)} ({t.place})" for t in run.slowest()]
    modules = collections.defaultdict(float)
    for test in run.tests.values():
        modules[test.process] += test.seconds or 0
    out += ["", "The slowest processes:"]
    out += [f"{duration(t):>12}  {name}" for name, t in sorted(modules.items(), key=lambda m: -m[1])[:20]]
    for test in run.failed:
        out += ["", f"Failed: {run.title(test)} ({test.place})"] + test.issues
    return out + run.strays


class Progress:
    """Says how far the run is: a line that changes on a terminal, a line every half minute elsewhere."""

    def __init__(self, stream, is_terminal):
        self.stream = stream
        self.is_terminal = is_terminal
        self.next = 0 if is_terminal else 30
        self.announced = set()

    def tell(self, run, total, seconds):
        for test in run.failed:
            if test.identifier not in self.announced and test.ended is not None:
                self.announced.add(test.identifier)
                first = test.issues[0].splitlines()[0] if test.issues else ""
                self._line(clip(f"failed: {run.title(test)}: {first}"), True)
        if seconds < self.next:
            return
        self.next = seconds + (1 if self.is_terminal else 30)
        text = f"{duration(seconds)}: {run.done:,} of {count_of(max(total, len(run.tests)), 'test')} done"
        if run.failed:
            text += f", {len(run.failed)} failed"
        if run.running:
            text += f"; {run.title(run.running[0])} runs longest"
        self._line(clip(text, 110), not self.is_terminal)

    def clear(self):
        if self.is_terminal:
            self.stream.write("\r\x1b[K")

    def _line(self, text, stays):
        self.clear()
        self.stream.write(text + ("\n" if stays else ""))
        self.stream.flush()


def end_session(leader):
    """Kills what is left of a process and of everything that it started: all have its session."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                session = int(file.read().rpartition(")")[2].split()[3])
            if session == leader:
                os.kill(int(entry), signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            continue


class Job:
    """One process of the test program that runs, with its event stream and its log."""

    def __init__(self, unit, command, folder, run, environment):
        self.unit = unit
        base = os.path.join(folder, file_name(unit.name))
        self.log = base + ".log"
        self.stream = Stream(run, unit.name)
        self._events = open(base + ".jsonl", "w+b")
        command = command + unit.arguments + ["--event-stream-output-path", base + ".jsonl", "--event-stream-version", "0"]
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
                start_new_session=True)
        self.heard = time.monotonic()

    def poll(self, stall):
        """Reads what is new. Its ending if it has ended, or has been silent for so long that it was ended."""
        status = self.process.poll()
        before = self.stream.events
        self.stream.feed(self._events.read())
        now = time.monotonic()
        if self.stream.events > before:
            self.heard = now
        if status is not None:
            return self.end()
        if now - self.heard > stall:
            # Swift's runtime then writes the stacks of all threads into the log.
            self.process.send_signal(signal.SIGABRT)
            self._wait_for_stacks()
            return self.end(now - self.heard)
        return None

    def end(self, stalled=None):
        end_session(self.process.pid)
        status = self.process.wait()
        self.stream.feed(self._events.read())
        self._events.close()
        return Ending(self.unit.name, status, self.stream.has_ended, self.log, stalled)

    def _wait_for_stacks(self, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            if any("Backtrace took" in line for line in last_lines(self.log, 4096)):
                return
            time.sleep(0.2)


class Unit:
    """What one process runs: a module, or a suite of a module that is split. `waits`: it mostly waits for others."""

    def __init__(self, name, arguments, waits=False):
        self.name = name
        self.arguments = arguments
        self.waits = waits


def units(listing, split, waiting):
    """The units for the tests of a listing (`Module.Suite/test()`, one a line).

    The modules `split` and `waiting` are taken apart into suites; those of `waiting` mostly wait for other processes.
    What was taken apart comes first, as it takes longest; then the modules, those with the most tests first.
    """
    counts = collections.Counter()
    for line in listing.splitlines():
        module, dot, rest = line.partition(".")
        if not dot:
            continue
        is_suite = module in split + waiting and "/" in rest
        counts[module + "." + rest.partition("/")[0] if is_suite else module] += 1
    result = []
    for name, _ in sorted(counts.items(), key=lambda entry: ("." not in entry[0], -entry[1])):
        pattern = "^" + re.escape(name) + ("/" if "." in name else r"\.")
        result.append(Unit(name, ["--filter", pattern], name.partition(".")[0] in waiting))
    return result


def follow(command, waiting, folder, stall, environment, progress, width, total, interval=0.2):
    """Runs the units, `width` of those that compute and two of those that wait at a time; the outcome."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    run, jobs, endings, interrupted = Run(), [], [], False
    waiting = list(waiting)
    began = time.monotonic()
    try:
        while waiting or jobs:
            for waits, room in ((True, 2), (False, width)):
                room -= sum(1 for job in jobs if job.unit.waits == waits)
                for unit in [unit for unit in waiting if unit.waits == waits][: max(0, room)]:
                    waiting.remove(unit)
                    jobs.append(Job(unit, command, folder, run, environment))
            time.sleep(interval)
            for job in list(jobs):
                ending = job.poll(stall)
                if ending is not None:
                    jobs.remove(job)
                    endings.append(ending)
            progress.tell(run, total, time.monotonic() - began)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        endings_of_others = [job.end() for job in jobs]
    progress.clear()
    return Outcome(run, endings + ([] if interrupted else endings_of_others), time.monotonic() - began, total, interrupted)


def remainders(folder):
    """The names in the directory for temporary files that the tests left, as text; the directory is removed."""
    names = []
    for name in sorted(os.listdir(folder)):
        # What is in a directory tells which test made it.
        inside = sorted(os.listdir(os.path.join(folder, name))) if os.path.isdir(os.path.join(folder, name)) else []
        names.append(name + (f" ({', '.join(inside[:3])})" if inside else ""))
    shutil.rmtree(folder, ignore_errors=True)
    if not names:
        return None
    return clip(f"left in the directory for temporary files: {count_of(len(names), 'name')}: " + " ".join(names))


def main(arguments):
    parser = argparse.ArgumentParser(description="Runs the tests and reports on them.")
    parser.add_argument("--folder", required=True, help="folder that gets the event streams and the output of each process")
    parser.add_argument("--log", required=True, help="file to which all output is added")
    parser.add_argument("--split", action="append", default=[], help="module whose suites get processes of their own")
    parser.add_argument("--waiting", action="append", default=[], help="the same, for one that waits for others")
    parser.add_argument("--stall", type=float, default=300, help="seconds without an event after which a process hangs")
    parser.add_argument("--filter", action="append", default=[], help="run only tests whose name matches")
    parser.add_argument("program", help="the test program")
    options = parser.parse_args(arguments)

    daemons = os.path.join(options.folder, "daemons")
    environment = dict(os.environ)
    seed = environment.setdefault("MARTLET_SEED", str(int.from_bytes(os.urandom(7), "big")))
    environment.setdefault("SWIFT_BACKTRACE", "enable=yes,color=no,interactive=no")
    environment["MARTLET_TEST_LOGS"] = os.path.abspath(daemons)
    environment["TMPDIR"] = tempfile.mkdtemp(prefix="martlet-run-")
    # Tests start programs as other users.
    os.chmod(environment["TMPDIR"], 0o755)
    command = [options.program, "--testing-library", "swift-testing"]
    filters = [word for text in options.filter for word in ("--filter", text)]
    listed = subprocess.run(command + ["--list-tests"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if listed.returncode != 0:
        remainders(environment["TMPDIR"])
        print("FAILED: the test program does not list its tests:\n" + listed.stderr)
        return 1
    # A filter is the program's own, and its list does not obey it: what it chooses runs in one process.
    chosen = [Unit("the filtered tests", filters)] if filters else units(listed.stdout, options.split, options.waiting)
    total = 0 if filters else len(listed.stdout.splitlines())
    progress = Progress(sys.stdout, sys.stdout.isatty())
    outcome = follow(
        command + ["--no-parallel"], chosen, options.folder, options.stall, environment, progress,
        len(os.sched_getaffinity(0)), total)
    with open(options.log, "ab") as log:
        for ending in outcome.endings:
            log.write(f"\n== {ending.name}: status {ending.status}\n".encode())
            with open(ending.log, "rb") as file:
                shutil.copyfileobj(file, log)
        log.write(("\n".join(appendix(outcome.run)) + "\n").encode())
    print("\n".join(report(outcome, options.log, daemons, seed)))
    left = remainders(environment["TMPDIR"])
    if left is not None:
        print("FAILED: " + left)
    return outcome.status or (0 if left is None else 1)


if __name__ == "__main__":
    # A text that the terminal cannot show is no reason to lose the exit status.
    sys.stdout.reconfigure(errors="replace")
    sys.exit(main(sys.argv[1:]))
