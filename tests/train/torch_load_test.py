"""Checkpoints between this program and the real PyTorch, both ways.

python3 torch_load_test.py TEST_TRAIN: the test program writes a file that torch.load reads with
weights_only=True, and reads files that torch.save has just written.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

try:
    import torch
except (ImportError, OSError) as error:
    print(f"skipped, there is no Python with PyTorch here: {error}")
    sys.exit(SKIPPED)

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TEST_TRAIN = sys.argv.pop(1)


def run_tests(pattern, **environment):
    command = [TEST_TRAIN, f"--gtest_filter={pattern}"]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


class TorchLoad(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def written(self):
        result = run_tests(
            "CheckpointFile.EveryKindOfValueIsWrittenAndReadBack",
            LOWBIT_CHECKPOINT_OUTPUT=self.folder,
        )
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return torch.load(os.path.join(self.folder, "written.pth"), weights_only=True)

    def test_torch_load_reads_plain_values(self):
        expected = {
            "none": None,
            "flag": True,
            "small": 7,
            "negative": -1,
            "large": 2**40,
            "long": 2**70,
            "real": 0.1,
            "text": "na\u00efve \u2603",
            "bytes": b"\x00\x80\xff",
            "no bytes": b"",
            "list": [1, "x"],
            "same list": [1, "x"],
            "empty list": [],
            "tuple": (1, 2.5),
            "dict": {1: "one", "two": 2},
        }
        content = self.written()
        plain = {key: value for key, value in content.items() if not torch.is_tensor(value)}
        self.assertEqual(plain, expected)
        self.assertEqual(list(plain), list(expected))
        for key, value in expected.items():
            self.assertIs(type(plain[key]), type(value), key)

    def test_torch_load_reads_tensors_of_every_type(self):
        expected = {
            "float32": torch.tensor([1.5, -2.0]),
            "again": torch.tensor([1.5, -2.0]),
            "transposed": torch.arange(6, dtype=torch.float32).view(2, 3).t(),
            "scalar": torch.tensor(3.5),
            "empty": torch.empty(0, 3),
            "half": torch.tensor([0.5], dtype=torch.float16),
            "bfloat16": torch.tensor([0.5], dtype=torch.bfloat16),
            "int64": torch.tensor([2**62]),
            "int32": torch.tensor([-7], dtype=torch.int32),
            "int16": torch.tensor([-7], dtype=torch.int16),
            "int8": torch.tensor([-7], dtype=torch.int8),
            "uint8": torch.tensor([255], dtype=torch.uint8),
            "bool": torch.tensor([True, False]),
        }
        content = self.written()
        tensors = {key: value for key, value in content.items() if torch.is_tensor(value)}
        self.assertEqual(list(tensors), list(expected))
        for key, value in expected.items():
            self.assertEqual(tensors[key].dtype, value.dtype, key)
            self.assertTrue(torch.equal(tensors[key], value), key)
            self.assertFalse(tensors[key].requires_grad, key)
        self.assertEqual(tensors["again"].data_ptr(), tensors["float32"].data_ptr())

    def test_what_torch_save_writes_now_is_read(self):
        make = [sys.executable, str(FIXTURES / "make_checkpoints.py"), self.folder]
        subprocess.run(make, check=True)
        result = run_tests("*FromPyTorch*", LOWBIT_CHECKPOINT_FIXTURES=self.folder)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn("[  PASSED  ] 0 tests", result.stdout)


if __name__ == "__main__":
    unittest.main()
