"""Boxes of people where none are given: torchvision's Faster R-CNN, trained on COCO.

Its weights are fetched from torchvision's hub when it is asked for (`boxes="detector"`), or come from a file
(`boxes="detector:FILE"`, a state dict, read weights-only).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError, require
from ..types import Boxes

ASKED = "detector"  # what `boxes` says
PERSON = 1  # COCO's category
LEAST = 0.05  # score of a box that is handed on

Detector = Callable[[Sequence[np.ndarray]], list[Boxes]]


def wanted(boxes: str) -> bool:
    """Whether `boxes` asks for the detector."""
    return boxes == ASKED or boxes.startswith(f"{ASKED}:")


def opened(boxes: str) -> Detector:
    """Pictures (H, W, 3) uint8 RGB -> a Boxes each. Raises UserError where its weights cannot be had."""
    require("torch", "torchvision", to="find people's boxes")
    import torch
    from torchvision.models import detection

    from ..models.weights import fetched

    kind = detection.FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1
    state = fetched(
        "torchvision's person detector",
        boxes.partition(":")[2] or "hub",
        lambda: kind.get_state_dict(progress=False),
    )
    net = detection.fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        file = Path(boxes.partition(":")[2]).name
        raise UserError(f"{file}: not the weights of torchvision's fasterrcnn_resnet50_fpn_v2") from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = net.to(device).eval()

    def found(pictures: Sequence[np.ndarray]) -> list[Boxes]:
        tensors = [torch.from_numpy(p.copy()).permute(2, 0, 1).to(device).float() / 255 for p in pictures]
        with torch.inference_mode():
            answers = net(tensors)
        return [people(*(a[n].cpu().numpy() for n in ("boxes", "scores", "labels"))) for a in answers]

    return found


def people(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> Boxes:
    """Of a detector's answer (N, 4), (N,), (N,) the persons with a score and an area.

    >>> boxes = np.array([[0.0, 0, 4, 4], [0, 0, 2, 2]])
    >>> people(boxes, np.array([0.9, 0.8]), np.array([1, 3])).boxes.tolist()
    [[0.0, 0.0, 4.0, 4.0]]
    """
    keep = (labels == PERSON) & (scores >= LEAST) & (boxes[:, 2:] > boxes[:, :2]).all(-1)
    return Boxes(boxes[keep], scores[keep], names=("person",))
