"""Training steps in PyTorch, for comparison with `lowbit train`: images/s on one GPU.

    peer_pytorch.py [--network resnet20|resnet18] [--type float16|bfloat16] [MODE...]

MODE: eager, compile (torch.compile), graph (torch.compile, and the whole step captured as one CUDA
graph); all of them by default. Each in full precision and with LSQ 2/2 written as the usual chain of
tensor operations. resnet20: 32 x 32 pixels, batch 128; resnet18: 224 x 224, batch 256. Autocast,
channels-last; synthetic data that stays on the GPU.
"""
import argparse
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

LOSS_SCALE = 65536.0


def round_pass(x):
    return x + (x.round() - x).detach()


class LsqConv(nn.Conv2d):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.clip_x = nn.Parameter(torch.tensor(2.0))
        self.clip_w = nn.Parameter(torch.full((self.out_channels, 1, 1, 1), 0.3))

    def forward(self, x):
        c = self.clip_x.abs()
        x = round_pass((x / c).clamp(0, 1) * 3) / 3 * c
        c = self.clip_w.abs()
        w = (2 * (round_pass(((self.weight / c).clamp(-1, 1) + 1) / 2 * 3) / 3) - 1) * c
        return F.conv2d(x, w.to(x.dtype), None, self.stride, self.padding)


class Block(nn.Module):
    def __init__(self, conv, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.skip = nn.Identity()
        if stride != 1 or i != o:
            self.skip = nn.Sequential(conv(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.skip(x))


def network(conv, stem, width, stages, blocks, classes):
    layers, channels = stem, width
    for stage in range(stages):
        for block in range(blocks):
            out = width << stage
            layers.append(Block(conv, channels, out, 2 if block == 0 and stage > 0 else 1))
            channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def resnet20(conv):
    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return network(conv, stem, 16, 3, 3, 100)


def resnet18(conv):
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1)]
    return network(conv, stem, 64, 4, 2, 1000)


NETWORKS = {"resnet20": (resnet20, 32, 128, 100, 200), "resnet18": (resnet18, 224, 256, 1000, 60)}


def captured(step):
    """The step as a graph: what replays it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def rate(options, conv, mode):
    make, side, batch, classes, steps = NETWORKS[options.network]
    dtype = getattr(torch, options.type)
    net = make(conv).cuda().to(memory_format=torch.channels_last)
    step_net = net if mode == "eager" else torch.compile(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, nesterov=True, fused=True)
    parameters = list(net.parameters())
    x = torch.randn(batch, 3, side, side, device="cuda").to(memory_format=torch.channels_last)
    y = torch.randint(0, classes, (batch,), device="cuda")

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype):
            loss = F.cross_entropy(step_net(x), y)
        (loss * LOSS_SCALE).backward()
        torch._foreach_mul_([p.grad for p in parameters], 1 / LOSS_SCALE)
        optimizer.step()

    run = captured(step) if mode == "graph" else step
    for _ in range(20):
        run()
    torch.cuda.synchronize()
    start = time.time()
    for _ in range(steps):
        run()
    torch.cuda.synchronize()
    return batch * steps / (time.time() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=NETWORKS, default="resnet20")
    parser.add_argument("--type", choices=["float16", "bfloat16"], default="float16")
    parser.add_argument("modes", nargs="*", metavar="MODE", default=["eager", "compile", "graph"])
    options = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    for mode in options.modes:
        for name, conv in (("full precision", nn.Conv2d), ("LSQ 2/2", LsqConv)):
            print(f"{options.network}, {options.type}, {name}, {mode}: "
                  f"{rate(options, conv, mode):.0f} images/s", flush=True)


if __name__ == "__main__":
    main()
