"""Latency and memory of packed networks beside what one would otherwise run: the same network in 8 bits
by ONNX Runtime and by OpenVINO, in the same run, one image at a time: times by turns, then the peak of
the resident memory, each in a process of its own.

    pip install . torch onnx onnxruntime openvino
    python3 bench/peer_int8.py [--threads 1] [--folder FOLDER] MODEL.lowbit ...

The models are of one network: resnet18, resnet20 or mobilenetv2. The 8-bit one has random weights,
which costs the same as trained ones: exported by PyTorch, quantized (static, per channel, QDQ) by ONNX
Runtime. It stays in FOLDER, and where it is there already, torch and onnx are not needed. What is not
installed is left out, with a message. Run it on as many cores as --threads says:
`taskset -c 0 python3 ...`.
"""

import argparse
import multiprocessing
import pathlib
import re
import statistics
import tempfile
import time

import numpy as np


def packed(path, threads):
    """A function that classifies one image of noise with the packed network."""
    import lowbit

    model = lowbit.Model(path, threads=threads)
    said = model.description
    images = np.random.default_rng(1).integers(
        0, 256, (1, said.height, said.width, said.channels), dtype=np.uint8)
    return lambda: model.run(images)


def resnet(stem, widths, blocks, classes):
    """torchvision's and CIFAR's, without the package. stem: the layers before the blocks."""
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

    layers, inside = [], widths[0]
    for out in widths:
        for block in range(blocks):
            layers.append(Block(inside, out, 2 if block == 0 and out != widths[0] else 1))
            inside = out
    return nn.Sequential(*stem, *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(inside, classes))


def resnet18(channels, classes):
    from torch import nn
    stem = [nn.Conv2d(channels, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1)]
    return resnet(stem, (64, 128, 256, 512), 2, classes)


def resnet20(channels, classes):
    from torch import nn
    stem = [nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return resnet(stem, (16, 32, 64), 3, classes)


def mobilenetv2(channels, classes):
    from torch import nn

    def convolution(inside, out, kernel=1, stride=1, groups=1):
        return [nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False),
                nn.BatchNorm2d(out)]

    class Block(nn.Module):
        def __init__(self, inside, out, stride, widening):
            super().__init__()
            wide = inside * widening
            first = [*convolution(inside, wide), nn.ReLU6()] if widening > 1 else []
            self.body = nn.Sequential(*first, *convolution(wide, wide, 3, stride, wide), nn.ReLU6(),
                                      *convolution(wide, out))
            self.adds = stride == 1 and inside == out

        def forward(self, x):
            return x + self.body(x) if self.adds else self.body(x)

    layers, inside = [*convolution(channels, 32, 3, 2), nn.ReLU6()], 32
    for widening, out, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                         (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(count):
            layers.append(Block(inside, out, stride if block == 0 else 1, widening))
            inside = out
    return nn.Sequential(*layers, *convolution(inside, 1280), nn.ReLU6(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(1280, classes))


NETWORKS = {make.__name__: make for make in (resnet18, resnet20, mobilenetv2)}


def int8_file(about, folder):
    """The network of a description in 8 bits as an ONNX file in the folder."""
    name = about.network.split(":")[0]
    quantized = folder / f"{name}-int8.onnx"
    if quantized.exists():
        return quantized
    import torch
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    shape = (1, about.channels, about.height, about.width)
    torch.manual_seed(1)
    network = NETWORKS[name](about.channels, about.classes).eval()

    class Images(quantization.CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(2)
            self.left = iter([{"image": random.standard_normal(shape, np.float32)}
                              for _ in range(8)])

        def get_next(self):
            return next(self.left, None)

    with tempfile.TemporaryDirectory() as aside:
        plain, prepared = (str(pathlib.Path(aside) / part) for part in ("fp32.onnx", "pre.onnx"))
        torch.onnx.export(network, torch.randn(shape), plain, opset_version=17,
                          input_names=["image"], dynamo=False)
        quant_pre_process(plain, prepared)
        quantization.quantize_static(prepared, str(quantized), Images(), per_channel=True,
                                     quant_format=quantization.QuantFormat.QDQ)
    return quantized


def noise(shape):
    return np.random.default_rng(1).standard_normal(shape, np.float32)


def onnx_runtime(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    image = noise(session.get_inputs()[0].shape)
    return lambda: session.run(None, {"image": image})


def openvino(path, threads):
    import openvino as ov
    core = ov.Core()
    model = core.compile_model(core.read_model(str(path)), "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()
    request.set_input_tensor(ov.Tensor(noise(tuple(model.inputs[0].shape))))
    return request.infer


def runners(models, folder):
    """Of each what makes the function that classifies an image, and from which file."""
    for path in models:
        yield path.stem, packed, path
    if not models:
        return
    import lowbit
    with lowbit.Model(models[0]) as model:
        about = model.description
    try:
        network = int8_file(about, folder)
    except (ImportError, KeyError) as error:
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
    noise(1)  # brings a part of numpy that is not there from the beginning
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
    parser.add_argument("--folder", type=pathlib.Path, help="of the 8-bit networks")
    call = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        named = {name: (make, path)
                 for name, make, path in runners(call.models, call.folder or pathlib.Path(aside))}
        running = started(named, call.threads)
        times(running, call.rounds)
        peaks({name: named[name] for name in running}, call.threads)


if __name__ == "__main__":
    main()
