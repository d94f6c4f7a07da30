"""Latency and memory of packed networks beside what one would otherwise run: ResNet-18 at 224 in 8 bits
by ONNX Runtime and by OpenVINO, in the same run, one image at a time: times by turns, then the peak of
the resident memory, each in a process of its own.

    pip install . torch onnx onnxruntime openvino
    python3 bench/peer_int8.py [--threads 1] MODEL.lowbit ...

The 8-bit network has random weights, which costs the same as trained ones: exported by PyTorch,
quantized (static, per channel, QDQ) by ONNX Runtime. What is not installed is left out, with a
message. Run it on as many cores as --threads says: `taskset -c 0 python3 ...`.
"""

import argparse
import multiprocessing
import pathlib
import re
import statistics
import tempfile
import time

import numpy as np

SIDE = 224


def packed(path, threads):
    """A function that classifies one image of noise with the packed network."""
    import lowbit

    model = lowbit.Model(path, threads=threads)
    said = model.description
    images = np.random.default_rng(1).integers(
        0, 256, (1, said.height, said.width, said.channels), dtype=np.uint8)
    return lambda: model.run(images)


def resnet18():
    """torchvision's, without its package."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inside, out, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(inside, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
                nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
            self.skip = nn.Sequential()
            if inside != out:
                self.skip = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False),
                                          nn.BatchNorm2d(out))
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.body(x) + self.skip(x))

    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
              nn.MaxPool2d(3, 2, 1)]
    inside = 64
    for out in (64, 128, 256, 512):
        layers += [Block(inside, out, 1 if out == 64 else 2), Block(out, out, 1)]
        inside = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).eval()


def int8_file(folder):
    """The network in 8 bits as an ONNX file."""
    import torch
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    plain, prepared, quantized = (folder / name for name in ("fp32.onnx", "pre.onnx", "int8.onnx"))
    torch.manual_seed(1)
    torch.onnx.export(resnet18(), torch.randn(1, 3, SIDE, SIDE), str(plain), opset_version=17,
                      input_names=["image"], dynamo=False)
    quant_pre_process(str(plain), str(prepared))

    class Images(quantization.CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(2)
            self.left = iter([{"image": random.standard_normal((1, 3, SIDE, SIDE), np.float32)}
                              for _ in range(8)])

        def get_next(self):
            return next(self.left, None)

    quantization.quantize_static(str(prepared), str(quantized), Images(), per_channel=True,
                                 quant_format=quantization.QuantFormat.QDQ)
    return quantized


def onnx_runtime(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    image = np.random.default_rng(1).standard_normal((1, 3, SIDE, SIDE), np.float32)
    return lambda: session.run(None, {"image": image})


def openvino(path, threads):
    import openvino as ov
    core = ov.Core()
    model = core.compile_model(core.read_model(str(path)), "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()
    request.set_input_tensor(ov.Tensor(
        np.random.default_rng(1).standard_normal((1, 3, SIDE, SIDE), np.float32)))
    return request.infer


def runners(models, folder):
    """Of each what makes the function that classifies an image, and from which file."""
    for path in models:
        yield path.stem, packed, path
    try:
        network = int8_file(folder)
    except ImportError as error:
        print(f"without peers: {error}")
        return
    yield "ONNX Runtime int8", onnx_runtime, network
    yield "OpenVINO int8", openvino, network


def started(named, threads):
    """The functions, by name, of those that this machine can run."""
    running = {}
    for name, (make, path) in named.items():
        try:
            running[name] = make(path, threads)
        except (ImportError, RuntimeError) as error:
            print(f"without {name}: {error}")
    return running


def peak():
    """Bytes of this process that were in memory at most, since it began."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def memory(make, path, threads):
    """Peak of this process for ten images, and how much of it Python and numpy had before."""
    before = peak()
    run = make(path, threads)
    for _ in range(10):
        run()
    return peak(), before


def peaks(named, threads):
    """Each in a process of its own, which has loaded nothing else."""
    for name, (make, path) in named.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            whole, before = pool.apply(memory, (make, path, threads))
        print(f"{name:36} {whole / 1e6:8.1f} MB at most, {(whole - before) / 1e6:.1f} MB more than "
              "Python and numpy")


def times(running, rounds):
    seconds = {name: [] for name in running}
    for turn in range(rounds + 1):
        for name, run in running.items():
            for _ in range(5):
                start = time.perf_counter()
                run()
                if turn > 0:
                    seconds[name].append(time.perf_counter() - start)
    for name, found in seconds.items():
        print(f"{name:36} {1e3 * statistics.median(found):8.2f} ms  (best {1e3 * min(found):.2f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    call = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        named = {name: (make, path)
                 for name, make, path in runners(call.models, pathlib.Path(folder))}
        running = started(named, call.threads)
        times(running, call.rounds)
        peaks({name: named[name] for name in running}, call.threads)


if __name__ == "__main__":
    main()
