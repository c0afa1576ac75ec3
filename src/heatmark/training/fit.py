"""The training loop, with one step on one screen.

Accelerate places the network, its precision and its processes; nothing else knows what it runs on. The run's
folder gets log.jsonl (a line a step, a line an epoch), tensorboard/, pictures/ (predictions of each epoch),
best.safetensors (lowest validation loss) and last/ (to resume from).
"""

import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast
from torch import Tensor, nn

from ..card import Card
from ..errors import DataError, UserError
from ..metrics.calibration import logistic
from ..models.blocks import in_float32
from ..types import Skeleton
from . import state
from .loader import Order, Samples, sound, training_loader, validation_batches
from .log import Log
from .preview import sheet
from .recipe import Recipe
from .state import Progress
from .task import Batch, Task

MOST_NONFINITE = 50  # steps left out in a row before a run gives up
ALPHAS = (0.05, 0.1)  # of the PCK measured on the validation set


@dataclass(frozen=True)
class Fitted:
    """How a run ended."""

    model: Path  # best.safetensors
    epochs: int
    best_loss: float
    nonfinite: int  # steps left out because their loss or gradient was not finite


@dataclass(frozen=True)
class Fitting:
    """What a step needs."""

    recipe: Recipe
    task: Task
    skeleton: Skeleton
    net: nn.Module  # as Accelerate hands it back
    strides: tuple[int, ...]
    optimiser: Any
    accelerator: Accelerator
    progress: Progress


def fit(
    recipe: Recipe,
    task: Task,
    net: nn.Module,
    training: Samples,
    validation: Samples,
    folder: Path,
    card: Card,
    resume: bool = False,
    track: Callable[..., Iterable] = lambda items, **_: items,
    note: Callable[[str], None] = lambda text: None,
) -> Fitted:
    """Train until the recipe's end, or until the validation loss has stopped falling.

    Args:
        net: its parameters with a gradient are learnt; `net.strides` are those of its maps.
        card: what best.safetensors will say of itself; data and results are filled in.
        resume: go on from folder/last, if something was saved.
        track, note: how progress is shown (commands.progress).

    Raises:
        DataError: losses that stay NaN, a saved state that cannot be read, a full disk.
        UserError: a saved state of other data.
        KeyboardInterrupt: after a Ctrl-C, when the state is saved.
    """
    f = prepared(recipe, task, net, training)
    accelerator, progress, leads = f.accelerator, f.progress, f.accelerator.is_main_process
    order = Order(len(training), recipe, accelerator.process_index, accelerator.num_processes)
    if resume and state.saved(folder):
        note(state.resume(folder, net, f.optimiser.optimizer, progress))
    elif resume:
        note(f"{folder}: nothing was saved yet, beginning again")
    loader = training_loader(training, order)

    def save() -> None:
        if leads:
            state.save(folder, net, f.optimiser.optimizer, progress)

    with Log(folder, progress.step, active=leads) as log, interruptible() as interrupted:
        saved_at = time.monotonic()
        while progress.epoch < recipe.epochs and not stalled(progress.losses, recipe.early_stop):
            order.epoch, order.start = progress.epoch, progress.batches
            label, total = f"epoch {progress.epoch + 1}/{recipe.epochs}", len(order)
            net.train()
            for batch in track(
                sound(loader), total=total, label=label, unit="batches", done=progress.batches
            ):
                log.step(step(f, batch, len(order)))
                if interrupted():
                    save()
                    raise KeyboardInterrupt
                if time.monotonic() - saved_at > recipe.save_minutes * 60:
                    save()
                    saved_at = time.monotonic()
            broadcast(list(net.buffers()))  # batch norm's, as best.safetensors will have them
            results, picture, calibration = (task.check or validate)(f, net, validation)
            better = results["validation loss"] < progress.best
            if better and leads:
                decoding = card.decoding.model_copy(update={"calibration": calibration})
                said = card.model_copy(update={"results": results, "decoding": decoding})
                state.write_model(folder / "best.safetensors", net, said)
            log.epoch(end_epoch(progress, results, better), picture)
            save()
            saved_at = time.monotonic()
            said = ", ".join(f"{name} {value:.4g}" for name, value in results.items())
            note(f"epoch {progress.epoch}: {said}{' *' if better else ''}")
            if interrupted():
                raise KeyboardInterrupt
    accelerator.wait_for_everyone()
    if not math.isfinite(progress.best):
        raise DataError(
            f"no epoch had a finite validation loss (lr {recipe.lr:g}, {progress.nonfinite} steps left out)"
        )
    return Fitted(folder / "best.safetensors", progress.epoch, progress.best, progress.nonfinite)


def prepared(recipe: Recipe, task: Task, net: nn.Module, training: Samples) -> Fitting:
    """The network and its optimiser where they will run; chance set by the recipe's seed."""
    strides: Any = net.strides
    if recipe.level_weights is not None and len(recipe.level_weights) != len(strides):
        raise UserError(
            f"{recipe.model} has {len(strides)} levels, level_weights has {len(recipe.level_weights)}"
        )
    AcceleratorState._reset_state()  # or the precision of an earlier run in this process would stay
    try:
        cpu = not torch.accelerator.is_available()  # or several processes on CPUs would not find each other
        accelerator = Accelerator(mixed_precision=precision(recipe.precision), cpu=cpu)
    except ValueError as error:
        raise UserError(f"precision {recipe.precision} does not work on this machine: {error}") from error
    torch.manual_seed(recipe.seed + accelerator.process_index)  # what dropout draws from
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster, also on CPUs
    if accelerator.mixed_precision == "bf16" and accelerator.device.type == "cpu":
        depthwise_in_float32(net)
    wrapped, optimiser = accelerator.prepare(net, optimiser_for(recipe, net))
    progress = Progress(data=state.fingerprint([e.record.name for e in training.entries]))
    return Fitting(recipe, task, training.skeleton, wrapped, strides, optimiser, accelerator, progress)


def step(f: Fitting, batch: Batch, batches: int) -> dict[str, Any]:
    """One step down; its line in the log. Where the loss or the gradient is not finite, nothing is learnt."""
    progress, rate = f.progress, learning_rate(f.recipe, f.progress, batches)
    for group in f.optimiser.param_groups:
        group["lr"] = rate * group["share"]
    loss, _, _ = forward(f, batch, f.net)
    f.optimiser.zero_grad()
    f.accelerator.backward(loss)
    learnt = [p for group in f.optimiser.param_groups for p in group["params"]]
    norm = f.accelerator.clip_grad_norm_(learnt, f.recipe.clip or math.inf)
    value, length = loss.item(), float(norm) if norm is not None else 0.0

    line = {"step": progress.step, "epoch": progress.epoch, "loss": value, "gradient": length, "lr": rate}
    progress.step, progress.batches = progress.step + 1, progress.batches + 1
    if math.isfinite(value) and math.isfinite(length):
        f.optimiser.step()
        progress.total, progress.counted, progress.in_a_row = progress.total + value, progress.counted + 1, 0
        return line
    if f.accelerator.scaler is not None:  # fp16's, which tries a smaller scale after a step, if of nothing
        f.optimiser.zero_grad()
        f.optimiser.step()
    progress.nonfinite, progress.in_a_row = progress.nonfinite + 1, progress.in_a_row + 1
    if progress.in_a_row >= MOST_NONFINITE:
        raise DataError(
            f"the loss was not finite {MOST_NONFINITE} times in a row, last with {', '.join(batch.names)}"
        )
    return line | {"left_out": list(batch.names)}


def forward(f: Fitting, batch: Batch, net: nn.Module) -> tuple[Tensor, Sequence[Tensor], Batch]:
    """The loss of a batch, its maps, and the batch where the network is.

    Args:
        net: what learns, `f.net`, waits for the other processes, which step alike; what is checked is the
            network itself, since there may be nothing for one of them to check.
    """
    batch = batch.to(f.accelerator.device)
    targets = f.task.targets(batch, f.strides, f.skeleton, f.recipe)
    pictures = batch.pictures.to(memory_format=torch.channels_last).float() / 255
    maps = net(pictures)  # in the precision that Accelerate was asked for
    return f.task.loss(maps, targets, f.recipe), maps, batch


@torch.no_grad()
def validate(
    f: Fitting, net: nn.Module, samples: Samples
) -> tuple[dict[str, float], np.ndarray | None, tuple[float, float] | None]:
    """Loss and PCK over the validation set, a sheet of its first pictures, and what makes chances of scores
    (fitted to the leading process's share of the set; None for heads whose scores stay as they are).
    """
    net.eval()
    rank, ranks = f.accelerator.process_index, f.accelerator.num_processes
    # loss, samples, hits at each alpha, landmarks
    sums = torch.zeros(2 + len(ALPHAS) + 1, dtype=torch.float64)
    picture, scored = None, [(np.empty(0), np.empty(0))]
    for batch in validation_batches(samples, rank, ranks):
        loss, maps, batch = forward(f, batch, net)
        points, scores = f.task.decode(maps, f.strides, f.skeleton)
        off = f.task.metric(points, batch, f.skeleton)
        hits = [float((off < alpha).sum()) for alpha in ALPHAS]  # NaN, not counted, is not below
        sums += torch.tensor([float(loss) * len(batch), len(batch), *hits, float((~np.isnan(off)).sum())])
        there = ~np.isnan(off)
        scored.append((scores.double().cpu().numpy()[there], off[there]))
        if picture is None:
            picture = sheet(batch, f.task.shown(maps[-1]), points)
    summed: Any = f.accelerator.reduce(sums.to(f.accelerator.device), reduction="sum")
    total, count, *hits, landmarks = summed.tolist()
    shares = {f"validation PCK@{a:g}": h / max(landmarks, 1) for a, h in zip(ALPHAS, hits)}
    said, off = (np.concatenate(parts) for parts in zip(*scored))
    calibration = logistic(said, off < ALPHAS[-1]) if f.recipe.head == "dsnt" else None
    return {"validation loss": total / count} | shares, picture, calibration


def end_epoch(progress: Progress, results: dict[str, float], better: bool) -> dict[str, Any]:
    """Count an epoch; its line in the log."""
    loss = results["validation loss"]
    line = {
        "step": progress.step,
        "epoch": progress.epoch,
        "training loss": progress.total / max(progress.counted, 1),
        **results,
        "best": better,
        "nonfinite": progress.nonfinite,
    }
    progress.losses.append(loss)
    progress.best = loss if better else progress.best
    progress.epoch, progress.batches, progress.total, progress.counted = progress.epoch + 1, 0, 0.0, 0
    return line


def optimiser_for(recipe: Recipe, net: nn.Module) -> torch.optim.Optimizer:
    """Over the parameters that are not frozen; a backbone's have their own share of the rate."""
    learnt: list[dict[str, Any]] = [{"params": [], "share": 1.0}]
    if recipe.backbone_lr != 1:
        learnt.append({"params": [], "share": recipe.backbone_lr})
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            learnt[-1 if ".backbone." in f".{name}" else 0]["params"].append(parameter)
    learnt = [group for group in learnt if group["params"]]
    if recipe.optimiser == "rmsprop":
        return torch.optim.RMSprop(learnt, recipe.lr, weight_decay=recipe.weight_decay)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimiser]
    return kind(learnt, recipe.lr, weight_decay=recipe.weight_decay, fused=True)


def learning_rate(recipe: Recipe, progress: Progress, batches: int) -> float:
    """A function of how far the run is and of the losses so far, so that resuming needs nothing else."""
    epochs = progress.epoch + progress.batches / batches
    rate = recipe.lr * min((epochs + 1 / batches) / recipe.warmup, 1.0) if recipe.warmup else recipe.lr
    if recipe.schedule == "plateau":
        return rate * recipe.factor ** falls(progress.losses, recipe.patience)
    if recipe.schedule == "cosine":
        return rate * 0.5 * (1 + math.cos(math.pi * min(epochs / recipe.epochs, 1.0)))
    if recipe.schedule == "steps":
        return rate * recipe.factor ** sum(progress.epoch >= m for m in recipe.milestones)
    return rate


def falls(losses: Sequence[float], patience: int) -> int:
    """How often `patience` epochs have gone by without a new lowest loss.

    >>> falls([3, 2, 2, 2, 1, 1, 1, 1, 1], patience=2)
    3
    """
    lowest, waited, fallen = math.inf, 0, 0
    for loss in losses:
        better = loss < lowest  # NaN is not
        lowest, waited = (loss, 0) if better else (lowest, waited + 1)
        if waited == patience:
            waited, fallen = 0, fallen + 1
    return fallen


def stalled(losses: Sequence[float], patience: int | None) -> bool:
    """Whether training has gone on long enough without a new lowest loss.

    >>> stalled([3, 2, 2], patience=2), stalled([3, 2, 2, 2], patience=2)
    (False, True)
    """
    return patience is not None and falls(losses, patience) > 0


def precision(wanted: str) -> str:
    """Accelerate's word for it. "auto": bfloat16 where the machine computes in it, else float32."""
    if wanted == "auto":
        fast = torch.cuda.is_bf16_supported(False) if torch.cuda.is_available() else _cpu_bf16()
        return "bf16" if fast else "no"
    return "no" if wanted == "fp32" else wanted


def depthwise_in_float32(net: nn.Module) -> None:
    """Let the depthwise convolutions that learn compute in float32 under autocast: on CPUs the gradient of
    their weights takes 20 times as long in bfloat16 (5 x 5, oneDNN), half of a light network's step.
    """
    for conv in net.modules():
        if isinstance(conv, nn.Conv2d) and conv.groups > 1 and conv.weight.requires_grad:
            conv.forward = partial(_between, conv.forward)  # type: ignore[method-assign]


def _between(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """In float32, and what follows goes on in the precision that it came in."""
    return in_float32(forward, x).to(x.dtype)


def _cpu_bf16() -> bool:
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it a Ctrl-C or SIGTERM is noted, to stop after the step; a second one stops at once."""
    asked = []

    def note(signum, frame):
        asked.append(signum)
        signal.signal(signum, before[signum])

    try:
        before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: then signals are somebody else's
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
