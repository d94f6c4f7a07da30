"""A training step of ResNet-20 (CIFAR, batch 128) in PyTorch, for comparison with `lowbit train`.

Prints images/s of: eager fp16 autocast; the same under torch.compile; each in full precision and with
LSQ 2/2 written as the usual chain of tensor operations. Synthetic data that stays on the GPU.
"""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH, STEPS = 128, 200


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


def resnet20(conv):
    layers, width = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for out, stride in ((16, 1), (32, 2), (64, 2)):
        for block in range(3):
            layers.append(Block(conv, width, out, stride if block == 0 else 1))
            width = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 100))


def rate(conv, compiled):
    net = resnet20(conv).cuda().to(memory_format=torch.channels_last)
    step_net = torch.compile(net, mode="max-autotune-no-cudagraphs") if compiled else net
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, nesterov=True, fused=True)
    scaler = torch.amp.GradScaler()
    x = torch.randn(BATCH, 3, 32, 32, device="cuda").to(memory_format=torch.channels_last)
    y = torch.randint(0, 100, (BATCH,), device="cuda")

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.float16):
            loss = F.cross_entropy(step_net(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    for _ in range(20):
        step()
    torch.cuda.synchronize()
    start = time.time()
    for _ in range(STEPS):
        step()
    torch.cuda.synchronize()
    return BATCH * STEPS / (time.time() - start)


if __name__ == "__main__":
    torch.backends.cudnn.benchmark = True
    for compiled in (False, True)[: 2 if "--compile" in sys.argv else 1]:
        for name, conv in (("full precision", nn.Conv2d), ("LSQ 2/2", LsqConv)):
            print(f"{name}, {'torch.compile' if compiled else 'eager'}: {rate(conv, compiled):.0f} images/s", flush=True)
