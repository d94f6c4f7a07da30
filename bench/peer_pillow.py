"""Training samples of photographs with torchvision's operations on Pillow, on one core: the peer of
bench/decode.cpp. Images/s in CPU time.

python3 peer_pillow.py FOLDER [SIDE]: every JPEG in FOLDER. The geometry is written out where there is no
torchvision; it is the same work.
"""

import io
import math
import pathlib
import random
import sys
import time

from PIL import Image

PASSES, EPOCHS = 5, 8

try:
    from torchvision import transforms
except (ImportError, OSError, RuntimeError):
    transforms = None


def random_box(width, height):
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return left, top, left + w, top + h
    return 0, 0, width, height


def training_sample(content, side):
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    return picture.crop(random_box(*picture.size)).resize((side, side), Image.Resampling.BILINEAR)


def best_rate(make, files):
    best = 1e300
    for _ in range(PASSES):
        start = time.process_time()
        for _ in range(EPOCHS):
            for content in files:
                make(content)
        best = min(best, time.process_time() - start)
    return EPOCHS * len(files) / best


def main(folder, side=224):
    files = [file.read_bytes() for file in sorted(pathlib.Path(folder).iterdir())]
    rate = best_rate(lambda content: training_sample(content, side), files)
    print(f"{'Pillow, random crop':<44} {rate:7.0f} images/s")
    if transforms:
        crop = transforms.RandomResizedCrop(side)
        rate = best_rate(
            lambda content: crop(Image.open(io.BytesIO(content)).convert("RGB")), files)
        print(f"{'torchvision, RandomResizedCrop':<44} {rate:7.0f} images/s")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
