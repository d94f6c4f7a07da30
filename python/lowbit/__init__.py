"""Runs packed networks: image classifiers of 1 to 4 bits that `lowbit export` has written.

    import lowbit

    with lowbit.Model("resnet18.lowbit") as model:
        print(model.description)
        logits = model.run(images)  # uint8 [N, H, W, C] -> float32 [N, classes]
"""

from lowbit._library import Error
from lowbit._model import Description, Model

__all__ = ["Description", "Error", "Model"]
