"""Tests of scripts/test_report.py with event streams that Swift 6.3.1 wrote, and with streams that broke off."""

import io
import os
import signal
import sys
import tempfile
import textwrap
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
sys.dont_write_bytecode = True

import test_report  # noqa: E402
from test_report import Ending, Outcome, Run, Stream  # noqa: E402


STREAMS = os.path.join(ROOT, "Tests", "ScriptTests", "streams")


def stream(name):
    with open(os.path.join(STREAMS, name + ".jsonl"), "rb") as file:
        return file.read()


NAME = "DemoTests"


def stream_of(data):
    stream = Stream(Run(), NAME)
    stream.feed(data)
    return stream


def run_of(data):
    return stream_of(data).run


def outcome(data, status, log=os.devnull, seconds=1, stalled=None, interrupted=False, total=0):
    stream = stream_of(data)
    return Outcome(stream.run, [Ending(NAME, status, stream.has_ended, log, stalled)], seconds, total, interrupted)


class StreamTests(unittest.TestCase):
    def test_failures_known_issues_and_skips_are_told_apart(self):
        told = stream_of(stream("failures"))
        run = told.run
        self.assertEqual(
            sorted(run.title(t) for t in run.failed),
            ["Weather / hail is thrown", "Weather / many lines", "Weather / numbers", "Weather / snow melts"])
        self.assertEqual(
            sorted(run.title(t) for t in run.passed),
            ["Weather / known", "Weather / plain()", "Weather / rain falls"])
        self.assertEqual(
            {run.title(t): t.skipped for t in run.skipped},
            {
                "Closed / one()": "the shop is shut", "Closed / two of it": "the shop is shut",
                "Weather / fog lifts": "no ../shared/fog", "Weather / mist": "no reason given",
                "Weather / wind dies": "no reason given", "Weather / calm lasts": "no reason given",
            })
        self.assertEqual((run.running, run.done), ([], 13))
        self.assertTrue(told.has_ended)

    def test_issues_have_place_text_comment_and_argument(self):
        issues = {t.name: t.issues for t in run_of(stream("failures")).failed}
        self.assertEqual(
            issues["snow melts"],
            [
                "DemoTests/Demo.swift:6: Expectation failed: ([1, 2].count → 2) == 3\ntwo flakes",
                "DemoTests/Demo.swift:6: Expectation failed: 1 == 2",
            ])
        self.assertIn("with the argument 2", issues["numbers"][0])
        self.assertIn("Caught error: Hard()", issues["hail is thrown"][0])

    def test_pieces_of_any_size_give_the_same(self):
        data = stream("failures")
        whole = stream_of(data)
        for size in (1, 7, 4096):
            parts = Stream(Run(), NAME)
            for at in range(0, len(data), size):
                parts.feed(data[at : at + size])
            self.assertEqual(parts.events, whole.events)
            self.assertEqual([t.issues for t in parts.run.failed], [t.issues for t in whole.run.failed])

    def test_a_stream_cut_anywhere_is_no_success(self):
        data = stream("failures")
        for end in range(0, len(data) - 1, 97):
            told = outcome(data[:end], 0)
            self.assertNotEqual(told.status, 0, f"cut at {end}")
            text = "\n".join(test_report.report(told, os.devnull, "nowhere", 1))
            self.assertIn("ended early", text)
            self.assertIn("FAILED", text)

    def test_lines_that_are_no_events_are_passed_over(self):
        junk = b'\n{"kind":1}\n[]\nnull\n{"kind":"event"}\n{"kind":"event","payload":[]}\n\xff\xfe\n{"kind":"test",\n'
        told = stream_of(junk + stream("failures").replace(b"\n", b"\n" + junk))
        self.assertEqual(len(told.run.failed), 4)
        self.assertTrue(told.has_ended)

    def test_the_slowest_come_first(self):
        run = run_of(stream("failures"))
        times = [t.seconds for t in run.slowest()]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(run.title(run.slowest()[0]), "Weather / plain()")


class ReportTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.log = os.path.join(self.folder.name, "test.log")
        open(self.log, "w").close()

    def report(self, data, status, **more):
        told = outcome(data, status, self.log, **more)
        return test_report.report(told, self.log, self.folder.name, 42), told.status

    def test_failed_names_stand_in_the_last_lines(self):
        lines, status = self.report(stream("failures"), 1, seconds=61)
        self.assertEqual(status, 1)
        self.assertEqual(lines[0], "3 tests passed in 1 min 1 s.")
        self.assertEqual(lines[-5], "FAILED: 4 tests failed")
        self.assertEqual(
            sorted(lines[-4:]),
            ["  Weather / hail is thrown", "  Weather / many lines", "  Weather / numbers", "  Weather / snow melts"])
        self.assertIn("The random tests used MARTLET_SEED=42: set it to repeat them.", lines)
        self.assertIn("Outside suites that were not run: ../shared/fog", lines)

    def test_many_failures_still_fit(self):
        names = "".join(
            '{"kind":"test","payload":{"kind":"function","id":"M.S/t%d()/F.swift:%d:1","name":"t%d()"}}\n'
            '{"kind":"event","payload":{"kind":"issueRecorded","issue":{"isKnown":false},'
            '"messages":[{"symbol":"fail","text":"%s"}],"testID":"M.S/t%d()/F.swift:%d:1"}}\n'
            % (i, i, i, "x" * 900, i, i) for i in range(400))
        end = '{"kind":"event","payload":{"kind":"runEnded"}}\n'
        lines, _ = self.report((names + end).encode(), 1)
        last = "\n".join(lines[-40:])
        self.assertIn("FAILED: 400 tests failed", last)
        self.assertIn("and 375 more", last)
        self.assertIn("M / t24()", last)
        self.assertLessEqual(max(len(line) for line in lines), test_report.WIDTH)
        self.assertLess(len(lines), 500)

    def test_a_crash_names_the_signal_the_running_tests_and_the_place(self):
        with open(self.log, "w") as log:
            log.write(textwrap.dedent("""\
                much output
                DemoTests/Demo.swift:14: Fatal error: no wind
                *** Program crashed: Illegal instruction at 0x00007f5c8caf9361 ***
                Thread 2 "oot.default-qos" crashed:

                  0                  0x00007fad57af9361 _assertionFailure(_:) + 225 in libswiftCore.so
                  1 [ra]             0x000056401cd8952a Weather.wind() + 105 in demo at Tests/Demo.swift:14:49
                """))
        lines, status = self.report(stream("crash"), -signal.SIGILL, total=13)
        text = "\n".join(lines)
        self.assertEqual(status, 1)
        self.assertIn("DemoTests crashed: signal 4 (SIGILL).", text)
        self.assertIn("  running: Weather / wind dies (DemoTests/Demo.swift:13)", text)
        self.assertIn("Fatal error: no wind", text)
        self.assertIn("Weather.wind() + 105 in demo at Tests/Demo.swift:14:49", text)
        self.assertIn("FAILED: 4 tests failed; DemoTests crashed: signal 4 (SIGILL); 1 test did not run to the end", text)

    def test_a_hang_names_what_was_running(self):
        lines, status = self.report(stream("hang"), -signal.SIGKILL, stalled=300)
        text = "\n".join(lines)
        self.assertEqual(status, 124)
        self.assertIn("DemoTests hung: nothing happened for 5 min 0 s, so it was ended.", text)
        self.assertIn("  running: Weather / calm lasts (DemoTests/Demo.swift:16)", text)

    def test_faults_of_the_process_are_failures(self):
        good = (
            b'{"kind":"test","payload":{"kind":"function","id":"M.S/t()/F.swift:1:1","name":"t()"}}\n'
            b'{"kind":"event","payload":{"kind":"testStarted","instant":{"absolute":1},"testID":"M.S/t()/F.swift:1:1"}}\n'
            b'{"kind":"event","payload":{"kind":"testEnded","instant":{"absolute":2},"testID":"M.S/t()/F.swift:1:1"}}\n')
        end = b'{"kind":"event","payload":{"kind":"runEnded"}}\n'
        lines, status = self.report(good + end, 0, total=1)
        self.assertEqual((status, lines[-1]), (0, "PASSED"))
        for data, code, more, said in [
            (good, 0, {}, "ended early, with status 0"),
            (good + end, 3, {}, "ended with status 3, though every test passed"),
            (good + end, 0, {"total": 3}, "2 tests did not run to the end"),
            (end, 69, {}, "no test ran: nothing matches the filter"),
            (good + end, -9, {}, "signal 9 (SIGKILL)"),
            (good + end, 0, {"interrupted": True}, "interrupted"),
        ]:
            lines, status = self.report(data, code, **more)
            self.assertNotEqual(status, 0)
            self.assertIn(said, lines[-1])
        stray = b'{"kind":"event","payload":{"kind":"issueRecorded","issue":{},"messages":[{"text":"late"}]}}\n'
        lines, status = self.report(good + stray + end, 1)
        self.assertEqual(status, 1)
        self.assertIn("  outside of any test: late", lines)

    def test_output_is_shown_for_what_failed_only(self):
        run = run_of(stream("failures"))
        for test, text in [(run.failed[0], "of the failed"), (run.passed[0], "of the passed")]:
            folder = os.path.join(self.folder.name, test_report.file_name(test.identifier))
            os.mkdir(folder)
            with open(os.path.join(folder, "martlet-1.txt"), "w") as log:
                log.write("early\n" * 50 + text + "\x1b[31m\n")
        with open(self.log, "w") as log:
            for name, end in [("rain falls", "✔"), ("snow melts", "✘")]:
                log.write(f'◇ Test "{name}" started.\nnoise of {name}\n↳ details\n{end} Test "{name}" failed after 1 s.\n')
        lines, _ = self.report(stream("failures"), 1)
        text = "\n".join(lines)
        self.assertIn("of the failed", text)
        self.assertNotIn("of the passed", text)
        self.assertNotIn("\x1b", text)
        self.assertEqual(text.count("early"), 11)
        self.assertIn("    noise of snow melts", lines)
        self.assertNotIn("noise of rain falls", text)
        self.assertNotIn("↳", text)


class UnitTests(unittest.TestCase):
    LISTING = "A.S/one()\nA.S/two(_:)\nA.T/three()\nB.free()\nAB.U/`any name/at all`()\n"

    def test_a_module_is_a_process_and_one_that_is_split_a_process_per_suite(self):
        self.assertEqual(
            [(u.name, u.arguments, u.waits) for u in test_report.units(self.LISTING, [], ["A"])],
            [
                ("A.S", ["--filter", "^A\\.S/"], True), ("A.T", ["--filter", "^A\\.T/"], True),
                ("B", ["--filter", "^B\\."], False), ("AB", ["--filter", "^AB\\."], False),
            ])
        self.assertEqual(
            [(u.name, u.waits) for u in test_report.units(self.LISTING, ["AB"], [])],
            [("AB.U", False), ("A", False), ("B", False)])
        self.assertEqual([u.name for u in test_report.units(self.LISTING, [], [])], ["A", "B", "AB"])


class RemaindersTests(unittest.TestCase):
    def test_what_tests_leave_is_told_and_removed(self):
        for names in [[], ["b", "a"]]:
            folder = tempfile.mkdtemp()
            for name in names:
                os.makedirs(os.path.join(folder, name, "inside" if name == "b" else ""))
            left = test_report.remainders(folder)
            self.assertEqual(left and left.rpartition(": ")[2], "a b (inside)" if names else None)
            self.assertFalse(os.path.exists(folder))


class FollowTests(unittest.TestCase):
    """The script with processes that play a stream; `$1` is the file for the events."""

    def follow(self, *scripts, stall=60, width=2):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # The options for the event stream follow those of the unit: "SCRIPT unit --event-stream-output-path FILE …".
        units = [test_report.Unit(f"u{i}", [script, "unit"]) for i, script in enumerate(scripts)]
        self.said = io.StringIO()
        told = test_report.follow(
            ["bash", "-c"], units, os.path.join(folder.name, "run"), stall, dict(os.environ, STREAMS=STREAMS),
            test_report.Progress(self.said, False), width, 0, interval=0.02)
        self.logs = {}
        for ending in told.endings:
            with open(ending.log) as file:
                self.logs[ending.name] = file.read()
        return told

    def test_output_goes_to_the_log_and_events_to_the_report(self):
        told = self.follow('echo noise; cat "$STREAMS/failures.jsonl" >"$2"; exit 1')
        self.assertEqual((len(told.run.failed), told.status, told.faults), (4, 1, []))
        self.assertEqual(self.logs["u0"], "noise\n")
        self.assertIn("failed: Weather / snow melts: DemoTests/Demo.swift:6", self.said.getvalue())

    def test_a_process_that_dies_does_not_keep_others_from_running(self):
        told = self.follow(
            'head -c 9000 "$STREAMS/crash.jsonl" >"$2"; kill -SEGV $$',
            'echo \'{"kind":"event","payload":{"kind":"runEnded"}}\' >"$2"', width=1)
        self.assertEqual(sorted(e.status for e in told.endings), [-signal.SIGSEGV, 0])
        self.assertIn("u0 crashed: signal 11 (SIGSEGV)", told.faults)
        self.assertEqual(told.status, 1)

    def test_a_process_that_hangs_is_ended_with_all_that_it_started(self):
        told = self.follow('cat "$STREAMS/hang.jsonl" >"$2"; sleep 987 & echo $!; wait', stall=0.3)
        self.assertEqual(told.status, 124)
        self.assertEqual([t.name for t in told.run.running], ["calm lasts"])
        self.assertFalse(alive(int(self.logs["u0"].split()[0])))


def alive(process, seconds=10):
    """Whether a process still runs after a while; a process that nobody waits for yet does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{process}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return False
        except OSError:
            return False
        time.sleep(0.02)
    return True


if __name__ == "__main__":
    unittest.main()
