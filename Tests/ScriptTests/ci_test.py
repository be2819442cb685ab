"""Tests of scripts/ci.sh with steps and jobs that only sleep, print or fail."""

import os
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class CITests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *rows, minutes=10):
        table = os.path.join(self.folder, "table")
        with open(table, "w") as file:
            file.write("".join(row + "\n" for row in rows))
        environment = dict(os.environ, CI_MINUTES=str(minutes), CI_LOGS=os.path.join(self.folder, "logs"))
        return subprocess.Popen(
            [os.path.join(ROOT, "scripts", "ci.sh"), table], env=environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def run_table(self, *rows, minutes=10):
        process = self.start(*rows, minutes=minutes)
        output = process.communicate(timeout=120)[0]
        rows = output.partition(" expected  result\n")[2].splitlines()[:-1]
        return process.returncode, output, {row.split()[0]: row.split(None, 1)[1] for row in rows}

    def test_all_pass(self):
        status, output, table = self.run_table("required lint 0 echo said by lint", "job a 100 echo said by a")
        self.assertEqual((status, list(table)), (0, ["lint", "a"]))
        self.assertTrue(all(row.endswith("passed") for row in table.values()), table)
        self.assertIn("said by lint\n", output)
        self.assertNotIn("said by a\n", output)
        with open(os.path.join(self.folder, "logs", "a.log")) as file:
            self.assertEqual(file.read(), "said by a\n")

    def test_a_required_step_that_fails_ends_the_run(self):
        mark = os.path.join(self.folder, "mark")
        status, output, table = self.run_table(
            "required lint 0 exit 7", f"required test 0 touch {mark}", f"job a 100 touch {mark}")
        self.assertEqual((status, list(table)), (1, ["lint"]))
        self.assertIn("FAILED with status 7", table["lint"])
        self.assertFalse(os.path.exists(mark))

    def test_a_job_that_fails_is_shown_and_does_not_keep_others_from_running(self):
        status, output, table = self.run_table(
            "required lint 0 true", "job race 100 seq 1000; echo WARNING: a race; exit 66", "job after 100 true")
        self.assertEqual(status, 1)
        self.assertIn("FAILED with status 66", table["race"])
        self.assertTrue(table["after"].endswith("passed"))
        self.assertIn("\n999\n1000\nWARNING: a race\n", output)
        self.assertNotIn("\n900\n", output)

    def test_a_job_without_time_is_skipped_and_one_at_its_limit_ended_and_neither_fails(self):
        mark = os.path.join(self.folder, "mark")
        status, output, table = self.run_table(
            f"job long 26 touch {mark}", "job slow 3 sleep 987 & echo $!; wait", "job short 5 true",
            minutes=1)
        self.assertEqual(status, 0, output)
        self.assertTrue(table["long"].endswith("skipped: no time left"), table)
        self.assertTrue(table["slow"].endswith("not finished"), table)
        self.assertTrue(table["short"].endswith("passed"), table)
        self.assertFalse(os.path.exists(mark))
        with open(os.path.join(self.folder, "logs", "slow.log")) as file:
            self.assert_ends(int(file.read()))

    def test_time_that_steps_took_is_gone(self):
        status, output, table = self.run_table("required test 0 sleep 3", "job a 24 true", minutes=1)
        self.assertEqual(status, 0)
        self.assertTrue(table["a"].endswith("skipped: no time left"), table)

    def test_statuses_of_a_limit_are_failures_before_it(self):
        for end in ("exit 124", "kill -KILL $$"):
            status, output, table = self.run_table(f"job a 100 {end}")
            self.assertEqual(status, 1)
            self.assertIn("FAILED with status 1", table["a"])

    def test_a_row_of_no_kind_is_an_error(self):
        status, output, _ = self.run_table("jobs a 100 true")
        self.assertEqual(status, 2)

    def test_a_run_that_is_ended_ends_its_job(self):
        process = self.start("job slow 100 sleep 987 & echo $!; wait")
        log = os.path.join(self.folder, "logs", "slow.log")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (os.path.exists(log) and os.path.getsize(log)):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        with open(log) as file:
            self.assert_ends(int(file.read()))

    def assert_ends(self, process):
        """That a process ends soon; one that nobody waits for yet has ended."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with open(f"/proc/{process}/stat") as file:
                    if file.read().rpartition(")")[2].split()[0] == "Z":
                        return
            except OSError:
                return
            time.sleep(0.05)
        self.fail(f"process {process} still runs")


if __name__ == "__main__":
    unittest.main()
