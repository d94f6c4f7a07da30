"""What TensorBoard's own reader finds in the event files of this program.

python3 tensorboard_test.py TEST_EVENTS: the test program writes files, TensorBoard reads them.
"""

import os
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except (ImportError, OSError) as error:
    print(f"skipped, there is no Python with TensorBoard here: {error}")
    sys.exit(SKIPPED)

TEST_EVENTS = sys.argv.pop(1)


class TensorBoard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        subprocess.run(
            [TEST_EVENTS, "--gtest_filter=EventFiles.EveryWriter*", "--gtest_brief=1"],
            env=os.environ | {"LOWBIT_EVENTS_OUTPUT": cls.folder.name},
            check=True,
        )
        cls.events = EventAccumulator(cls.folder.name, size_guidance={"histograms": 0})
        cls.events.Reload()

    def test_scalars_of_a_run_that_went_on_are_those_of_its_last_part(self):
        loss = [(event.step, event.value) for event in self.events.Scalars("loss/train")]
        self.assertEqual(loss, [(0, 4.5), (1, 3.5), (2, 20.0)])
        clip = [(event.step, event.value) for event in self.events.Scalars("clip/a.fm")]
        self.assertEqual(clip, [(0, 0.25), (1, 0.25)])

    def test_a_code_is_a_bucket_of_a_histogram(self):
        histograms = self.events.Histograms("codes/a.fm")
        self.assertEqual([event.step for event in histograms], [0, 1])
        value = histograms[0].histogram_value
        self.assertEqual(value.bucket, [3, 0, 5, 2])
        self.assertEqual(value.bucket_limit, [0.5, 1.5, 2.5, 3.5])
        self.assertEqual((value.min, value.max, value.num, value.sum), (0, 3, 10, 16))
        self.assertEqual(value.sum_squares, 38)


if __name__ == "__main__":
    unittest.main()
