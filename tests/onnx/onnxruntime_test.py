"""ONNX files give in ONNX Runtime what their networks give.

python3 onnxruntime_test.py TEST_ONNX PROGRAM [CHECKPOINT]: TEST_ONNX writes the networks of the parity
cases and what their programs give (or has written them into the folder LOWBIT_ONNX_FILES); PROGRAM
exports CHECKPOINT, or a network that it trains here for a moment. The table that is printed is that
of docs/onnx.md.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

try:
    import numpy
    import onnx
    import onnxruntime
except (ImportError, OSError) as error:
    print(f"skipped, there is no Python with onnx and onnxruntime here: {error}")
    sys.exit(SKIPPED)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import small_run

CHECKPOINT = pathlib.Path(sys.argv.pop(3)).resolve() if len(sys.argv) > 3 else None
PROGRAM = pathlib.Path(sys.argv.pop(2)).resolve()
TEST_ONNX = pathlib.Path(sys.argv.pop(1)).resolve()
FILES = os.environ.get("LOWBIT_ONNX_FILES")
# Sums of integers are exact; those of reals (full precision, factors that depend on the input, and
# the dequantized numbers of a convolution that was not fused) end beyond a threshold now and then,
# which is seen in the logits of these networks, as they have not been trained.
SAME, NEARLY = 1e-4, 0.05


def write_files(folder, tests, **more):
    subprocess.run([TEST_ONNX, f"--gtest_filter={tests}", "--gtest_brief=1"], check=True,
                   env=os.environ | {"LOWBIT_ONNX_OUTPUT": str(folder)} | more)


def floats(path, *shape):
    return numpy.fromfile(path, numpy.float32).reshape(shape)


class Session:
    """A file in ONNX Runtime.

    fused: with convolutions on integers, else in float32 as the file says.
    """

    def __init__(self, path, fused=True, optimized=None):
        """optimized: where the file goes that ONNX Runtime's optimizer has made of this one."""
        self.model = onnx.load(path)
        options = onnxruntime.SessionOptions()
        if optimized:
            options.optimized_model_filepath = str(optimized)
        options.log_severity_level = 3  # not that the optimized file is for this machine alone
        options.add_session_config_entry("session.disable_quant_qdq", "0" if fused else "1")
        # Threads that wait take nothing from the tests beside this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])

    def logits(self, images, batch=200):
        return numpy.concatenate([self.session.run(["logits"], {"image": images[i:i + batch]})[0]
                                  for i in range(0, len(images), batch)])


class Folder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)


class RecordedNetworks(Folder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if FILES:
            cls.folder = pathlib.Path(FILES)
        else:
            write_files(cls.folder, "*RecordedNetwork.*")
        cls.files = sorted(cls.folder.glob("*.onnx"))

    def test_are_there_in_every_form(self):
        self.assertGreaterEqual(len(self.files), 4 * 36)
        operators = {onnx.load(file).opset_import[0].version for file in self.files}
        self.assertEqual(operators, {21, 25})

    def test_pass_the_checker_of_onnx(self):
        for file in self.files:
            with self.subTest(file.stem):
                onnx.checker.check_model(onnx.load(file), full_check=True)

    def test_give_the_logits_of_their_programs(self):
        differences = {False: [], True: []}
        for file in self.files:
            form, _, weights = file.stem.rpartition(".")
            expected = floats(file.with_name(f"{form}.program"), 2, -1)
            # Of narrow weights the few layers that keep 8 bits are fused as in the file of int8.
            for fused in (False, True) if weights == "int8" else (False,):
                with self.subTest(file.stem, fused=fused):
                    session = Session(file, fused)
                    sides = session.model.graph.input[0].type.tensor_type.shape.dim[1:]
                    images = floats(file.with_name(f"{form.rpartition('.')[0]}.images"), 2,
                                    *[side.dim_value for side in sides])
                    logits = session.logits(images)
                    found = abs(logits - expected).max() / abs(expected).max()
                    differences[fused].append(found)
                    self.assertLess(found, NEARLY)
        for fused, found in differences.items():
            others = sum(difference > SAME for difference in found)
            print(f"{len(found)} sessions, the logits of {others} not within {SAME} of the largest"
                  f"{', fused' if fused else ''}")
            self.assertLess(others, len(found) / 12)


class TrainedNetwork(Folder):
    """Of CHECKPOINT, or of a short run here."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.folder / "run"
        cls.run_folder.mkdir()
        cls.checkpoint = CHECKPOINT
        if not CHECKPOINT:
            small_run.write_set(cls.folder)
            subprocess.run(small_run.command(PROGRAM), cwd=cls.run_folder, check=True,
                           capture_output=True)
            cls.checkpoint = next(cls.run_folder.glob("weights/*/*-checkpoint.pth.tar")).resolve()
        where = os.getcwd()
        os.chdir(cls.run_folder)  # the checkpoint's paths are those of its run
        write_files(cls.folder, "*TrainedNetwork.*", LOWBIT_ONNX_CHECKPOINT=str(cls.checkpoint))
        os.chdir(where)
        cls.labels = floats(cls.folder / "labels", -1)
        cls.trained = floats(cls.folder / "trained", len(cls.labels), -1)

    def export(self, name, *options):
        """A session of the file, with the operators that the optimizer has made of it."""
        file, optimized = self.folder / name, self.folder / f"{name}.optimized"
        subprocess.run([PROGRAM, *options, "--check", "20"], cwd=self.run_folder, check=True,
                       capture_output=True)
        session = Session(file, optimized=optimized)
        session.operators = collections.Counter(
            node.op_type for node in onnx.load(optimized).graph.node)
        return session

    def images(self, session):
        sides = session.model.graph.input[0].type.tensor_type.shape.dim[1:]
        return floats(self.folder / "images", -1, *[side.dim_value for side in sides])

    def agreement(self, session):
        """Of how many answers, 0..1; and prints the row of the table."""
        found = session.logits(self.images(session))
        same = (found.argmax(1) == self.trained.argmax(1)).mean()
        right = (found.argmax(1) == self.labels).mean()
        convolutions = {name: count for name, count in session.operators.items() if "Conv" in name}
        print(f"{100 * same:.2f} % of {len(found)} answers are the trained network's, "
              f"{100 * right:.2f} % right; {convolutions}")
        return same

    def test_answers_as_it_was_trained(self):
        for weights in ("int8", "int4", "int2"):
            with self.subTest(weights):
                file = self.folder / f"{weights}.onnx"
                session = self.export(file.name, "export", self.checkpoint, "--onnx", file, "--ends",
                                      "float32", "--onnx_weights", weights)
                self.assertGreaterEqual(self.agreement(session), 0.999)

    def test_has_integer_convolutions_for_onnx_runtime(self):
        file = self.folder / "bytes.onnx"
        session = self.export(file.name, "export", self.checkpoint, "--onnx", file)
        self.assertGreater(session.operators["QLinearConv"], 0)
        self.agreement(session)

    def test_is_exported_by_the_tool_in_both_spellings(self):
        file = self.folder / "tool.onnx"
        self.export(file.name, "export", self.checkpoint, "--onnx", file)
        expected = file.read_bytes()
        for words in (["export_onnx"], ["--keyword", "export_onnx"]):
            file.unlink()
            self.export(file.name, "tools", *words, "--old", self.checkpoint, "--new", file)
            self.assertEqual(file.read_bytes(), expected)

    def test_says_how_pictures_become_its_input(self):
        file = self.folder / "said.onnx"
        session = self.export(file.name, "export", self.checkpoint, "--onnx", file)
        said = {entry.key: entry.value for entry in session.model.metadata_props}
        self.assertEqual(len(said["mean"].split(",")), 3)
        self.assertEqual(len(json.loads(said["classes"])), self.trained.shape[1])
        one = session.logits(self.images(session)[:3], batch=1)
        numpy.testing.assert_allclose(session.logits(self.images(session)[:3]), one, rtol=1e-4,
                                      atol=1e-3)


if __name__ == "__main__":
    unittest.main()
