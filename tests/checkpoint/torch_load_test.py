"""Checkpoints between this program and the real PyTorch, both ways.

python3 torch_load_test.py TEST_CHECKPOINT TEST_TRAIN: the test programs write files that torch.load
reads with weights_only=True, and read files that torch.save has just written.
"""

import argparse
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

import numpy

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
TEST_CHECKPOINT = sys.argv.pop(1)
TEST_TRAIN = sys.argv.pop(1)


def run_tests(program, pattern, **environment):
    command = [program, f"--gtest_filter={pattern}"]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


class TorchLoad(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def written(self):
        result = run_tests(
            TEST_CHECKPOINT, "CheckpointFile.EveryKindOfValueIsWrittenAndReadBack",
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
            "not utf8": os.fsdecode(b"abeille_\xe9"),
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
            "float8": torch.tensor([0.5, -2.0]).to(torch.float8_e4m3fn),
            "uint16": torch.tensor([1, 65535], dtype=torch.int32).to(torch.uint16),
        }
        content = self.written()
        tensors = {key: value for key, value in content.items() if torch.is_tensor(value)}
        self.assertEqual(list(tensors), list(expected))
        for key, value in expected.items():
            self.assertEqual(tensors[key].dtype, value.dtype, key)
            self.assertTrue(torch.equal(tensors[key].double(), value.double()), key)
            self.assertFalse(tensors[key].requires_grad, key)
        self.assertEqual(tensors["again"].data_ptr(), tensors["float32"].data_ptr())

    def test_what_torch_save_writes_now_is_read(self):
        make = [sys.executable, str(FIXTURES / "make_checkpoints.py"), self.folder]
        subprocess.run(make, check=True)
        result = run_tests(TEST_CHECKPOINT, "*FromPyTorch*", LOWBIT_CHECKPOINT_FIXTURES=self.folder)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn("[  PASSED  ] 0 tests", result.stdout)


class Meter:
    """A class of some training script, pickled into its checkpoints."""

    def __init__(self):
        self.values = [1.0, torch.tensor(2.0)]


def torchvision_resnet18(classes):
    """The entries of torchvision's network of this name."""
    nn = torch.nn

    def block(inside, out, stride):
        layers = {
            "conv1": nn.Conv2d(inside, out, 3, stride, 1, bias=False),
            "bn1": nn.BatchNorm2d(out),
            "conv2": nn.Conv2d(out, out, 3, 1, 1, bias=False),
            "bn2": nn.BatchNorm2d(out),
        }
        if stride > 1:
            shortcut = nn.Conv2d(inside, out, 1, stride, bias=False)
            layers["downsample"] = nn.Sequential(shortcut, nn.BatchNorm2d(out))
        return nn.ModuleDict(layers)

    network = nn.ModuleDict({"conv1": nn.Conv2d(3, 64, 7, 2, 3, bias=False)})
    network["bn1"] = nn.BatchNorm2d(64)
    inside = 64
    for stage, out in enumerate([64, 128, 256, 512], start=1):
        stride = 1 if stage == 1 else 2
        network[f"layer{stage}"] = nn.Sequential(block(inside, out, stride), block(out, out, 1))
        inside = out
    network["fc"] = nn.Linear(512, classes)
    return network


class TorchRun(unittest.TestCase):
    """A run of ours that PyTorch goes on with, and one of PyTorch that we go on with."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.run_ours("GivesItsCheckpoints")
        cls.ours = torch.load(os.path.join(cls.folder.name, "one.pth"), weights_only=True)

    @classmethod
    def run_ours(cls, name):
        result = run_tests(TEST_TRAIN, f"PyTorchRun.{name}", LOWBIT_PYTORCH_RUN=cls.folder.name)
        output = result.stdout + result.stderr
        if result.returncode != 0 or "[  PASSED  ] 1 test" not in output:
            raise AssertionError(output)

    def save(self, name, content, legacy=False):
        path = os.path.join(self.folder.name, name)
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)

    def parameters(self):
        """Name and tensor of what is trained, in the order of the network."""
        groups = self.ours["optimizer"]["param_groups"]
        trained = {name for group in groups for name in group["param_names"]}
        tensors = self.ours["state_dict"].items()
        return [(name, torch.nn.Parameter(t.clone())) for name, t in tensors if name in trained]

    def optimizer(self, grouped):
        """PyTorch's, with our momenta: a group for each parameter, as QTool has it, or one."""
        momenta = {}
        for group in self.ours["optimizer"]["param_groups"]:
            for number, name in zip(group["params"], group["param_names"]):
                momenta[name] = self.ours["optimizer"]["state"][number]["momentum_buffer"]
        parameters = self.parameters()
        tensors = [tensor for _, tensor in parameters]
        groups = [{"params": [each]} for each in tensors] if grouped else tensors
        optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.9, nesterov=True)
        for name, tensor in parameters:
            optimizer.state[tensor]["momentum_buffer"] = momenta[name]
        return optimizer

    def test_torch_goes_on_with_our_optimizer_and_schedule(self):
        saved = self.ours["optimizer"]
        tensors = dict(self.parameters())
        groups = [
            {"params": [(name, tensors[name]) for name in group["param_names"]]}
            for group in saved["param_groups"]
        ]
        optimizer = torch.optim.SGD(groups, lr=1, momentum=0.1)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
        optimizer.load_state_dict(saved)
        schedule.load_state_dict(self.ours["scheduler"])
        self.assertEqual(schedule.last_epoch, self.ours["epoch"])
        for group, from_us in zip(optimizer.param_groups, saved["param_groups"]):
            self.assertEqual(group["momentum"], 0.9)
            self.assertEqual(group["weight_decay"], from_us["weight_decay"])
            self.assertTrue(group["nesterov"])
            for parameter in group["params"]:
                parameter.grad = torch.ones_like(parameter)
        first = optimizer.param_groups[0]["params"][0]
        momentum = optimizer.state[first]["momentum_buffer"]
        self.assertTrue(torch.equal(momentum, saved["state"][0]["momentum_buffer"]))
        optimizer.step()
        schedule.step()  # the second epoch is over: the rate falls
        self.assertEqual(schedule.last_epoch, 2)
        self.assertAlmostEqual(schedule.get_last_lr()[0], 0.05 * 0.1)

    def test_our_run_has_the_entries_of_training_scripts(self):
        entries = ["epoch", "state_dict", "optimizer", "scheduler", "best_acc", "learning_rate"]
        self.assertEqual([key for key in self.ours if key in entries], entries)
        self.assertEqual(self.ours["epoch"], 1)
        self.assertFalse(any(name.startswith("module.") for name in self.ours["state_dict"]))

    def test_a_run_of_torch_goes_on(self):
        state = self.ours["state_dict"]
        script = {
            "epoch": 1,
            "best_acc": self.ours["best_acc"],
            "options": argparse.Namespace(lr=0.1, model="resnet20"),
            "accuracy": numpy.float64(68.83),
            "meter": Meter(),
        }
        qtool = script | {
            "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
            "optimizer": self.optimizer(grouped=True).state_dict(),
            "amp": {"loss_scaler0": {"loss_scale": 65536.0, "unskipped": 7}},
        }
        wrapped = script | {
            "model": state,
            "optimizer": self.optimizer(grouped=False).state_dict(),
            "best_acc": torch.tensor(self.ours["best_acc"]),
        }
        for form, content in [("qtool", qtool), ("wrapped", wrapped)]:
            self.save(f"run.{form}.zip", content)
            self.save(f"run.{form}.legacy", content, legacy=True)
        self.run_ours("GoesOnFromEachOfTheirFiles")

    def test_weights_of_torch_are_a_start(self):
        state = self.ours["state_dict"]
        parallel = {f"module.{name}": tensor for name, tensor in state.items()}
        self.save("weights.bare.zip", state)
        self.save("weights.bare.legacy", state, legacy=True)
        self.save("weights.wrapped", {"model": parallel, "args": argparse.Namespace(x=1)})
        trained = {name: torch.nn.Parameter(t) if t.is_floating_point() else t
                   for name, t in parallel.items()}  # fmt: skip
        self.save("weights.parameters", {"state_dict": trained, "meter": Meter()}, legacy=True)
        self.run_ours("StartsFromEachOfTheirFiles")

    def test_a_file_of_torchvision_fits(self):
        state = torchvision_resnet18(classes=10).state_dict()
        self.save("resnet18.zip", state)
        self.save("resnet18.legacy", {"model": state}, legacy=True)
        self.run_ours("TakesEveryEntryOfATorchvisionFile")


if __name__ == "__main__":
    unittest.main()
