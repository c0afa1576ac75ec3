"""The authors' own files (.pth) of HRNet, SimpleBaseline, the stacked hourglass, HigherHRNet and PoseAE, as
networks of MODELS and CROWDS.

A file is loaded weights-only, recognised by the names and shapes in it, and must fill the network completely.
What it does not say, its card must: the points' names, the size of the input, and that it is read by `msra`.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ..errors import DataError
from . import CROWDS, MODELS, create, unfetched
from .simple_baseline import DEPTHS
from .weights import bare, fill, read


def opened(path: str | Path) -> tuple[str, nn.Module]:
    """The name in MODELS or CROWDS, and the network with its weights in place, in eval mode.

    Raises:
        UserError: no such file. DataError: not a file of weights, or of no network that is known here.
    """
    path = Path(path)
    state = bare(read(path))
    name, points = recognised(state, path.name)
    net = create(name, points, **unfetched(name, {}))
    fill(net, {key: state.get(key) for key in net.state_dict()}, path.name)
    return name, net.eval()


def recognised(state: Mapping[str, Tensor], source: str = "the file") -> tuple[str, int]:
    """Which network of MODELS or CROWDS these weights are of, and its number of points.

    Raises a DataError for others.
    """
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    heads = ("final_layer.weight", "outs.0.conv.weight", "final_layers.1.weight")
    head = next((shapes[key] for key in heads if len(shapes.get(key, ())) == 4), None)
    name, share = None, 1  # channels of the head for each point
    if head and "final_layers.1.weight" in shapes:
        name = f"higher_hrnet_w{head[1]}"
    elif head and "features.0.0.up1.conv.weight" in shapes:
        name, share = "pose_ae", 4
    elif head and "stage4.0.branches.0.0.conv1.weight" in shapes:
        name = f"hrnet_w{head[1]}"
    elif head and "deconv_layers.0.weight" in shapes and "layer1.0.conv3.weight" in shapes:
        counts = tuple(_count(shapes, f"layer{n}.") for n in (1, 2, 3, 4))
        depth = next((depth for depth, blocks in DEPTHS.items() if blocks == counts), None)
        name = f"simple_baseline_{depth}"
    elif head and "hgs.0.0.up1.conv1.conv.weight" in shapes:
        name = f"hourglass_{_count(shapes, 'outs.')}"
    if head is None or name not in MODELS | CROWDS:
        known = (
            "HRNet-W32 or W48, SimpleBaseline with ResNet-50, 101 or 152, a hourglass of 2 or 8 stacks, "
            "HigherHRNet-W32 or W48, or PoseAE"
        )
        raise DataError(f"{source}: these are not the weights of {known}")
    return name, head[0] // share


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    """How many numbered modules there are under a prefix."""
    return len({key[len(prefix) :].split(".")[0] for key in shapes if key.startswith(prefix)})
