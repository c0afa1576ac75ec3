"""The loop: it learns, it stops, it goes on exactly, and what is not finite is left out."""

import json
import signal
from dataclasses import replace

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer
from conftest import write_sticks

from heatmark.card import Card
from heatmark.data import open_dataset
from heatmark.errors import DataError, UserError
from heatmark.models import create
from heatmark.training import fit, loader, recipe, state
from heatmark.training.task import SINGLE


def run(folder, data, settings, resume=False, track=lambda items, **_: items, task=SINGLE, notes=None):
    resolved = recipe.validated(settings, "tiny")
    dataset = open_dataset(data)
    skeleton = dataset.skeleton
    learn, check = (
        loader.Samples(loader.entries(side, skeleton), skeleton, resolved)
        for side in loader.split(dataset, 0.3, 0)
    )
    torch.manual_seed(1)
    net = create(resolved.model, 2, **resolved.options)
    card = Card.model_validate(
        {
            "name": "t",
            "skeleton": skeleton,
            "size": resolved.size,
            "model": resolved.model,
            "strides": net.strides,
        }
    )
    folder.mkdir(exist_ok=True)
    note = (notes if notes is not None else []).append
    return fit.fit(resolved, task, net, learn, check, folder, card, resume, track, note)


def lines(folder, kind):
    said = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in said if line["kind"] == kind]


def weights(path):
    return state.read(path)[0]


@pytest.mark.usefixtures("one_thread")
def test_it_learns_a_few_pictures_by_heart(tmp_path, tiny):
    data = write_sticks(tmp_path / "few", 6)
    easy = {
        "augmentation": "none",
        "options": {"backbone": "tiny", "width": 0.15, "dropout": 0},
        "whole": 1.0,
    }
    more = {"epochs": 25, "lr": 0.03, "early_stop": None, "schedule": "constant", "targets": "max"}
    ended = run(tmp_path / "run", data, tiny | easy | more)
    epochs = lines(tmp_path / "run", "epoch")
    assert ended.epochs == 25 and epochs[-1]["training loss"] < 0.25 * epochs[0]["training loss"]
    assert max(e["validation PCK@0.1"] for e in epochs) > 0.7
    assert ended.best_loss == min(e["validation loss"] for e in epochs)


def test_a_run_leaves_a_log_pictures_and_a_model(tmp_path, sticks, tiny):
    ended = run(tmp_path / "run", sticks, tiny)
    assert len(lines(tmp_path / "run", "step")) == 6 and len(lines(tmp_path / "run", "epoch")) == 3
    assert sorted(p.name for p in (tmp_path / "run" / "pictures").iterdir())[0] == "epoch-001.jpg"
    tensors, header = state.read(ended.model)
    results = Card.from_json(header["heatmark"]).results
    assert results["validation loss"] == ended.best_loss and "validation PCK@0.1" in results
    assert any((tmp_path / "run" / "tensorboard").iterdir())


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["ihm56", "hm"])
def test_an_interrupted_run_goes_on_exactly(tmp_path, sticks, tiny, name):
    settings = tiny | {"model": name, "epochs": 2, "schedule": "cosine"}
    whole = run(tmp_path / "whole", sticks, settings)

    def interrupt(items, label, done, **_):
        for i, item in enumerate(items):
            if label.startswith("epoch 2") and i + done == 1:
                signal.raise_signal(signal.SIGINT)  # the second step of the second epoch is still finished
            yield item

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "halves", sticks, settings, track=interrupt)
    notes = []
    halves = run(tmp_path / "halves", sticks, settings, resume=True, notes=notes)
    assert "resuming at epoch 2 after 2 batches" in notes[0]
    assert lines(tmp_path / "whole", "step") == lines(tmp_path / "halves", "step")
    assert lines(tmp_path / "whole", "epoch") == lines(tmp_path / "halves", "epoch")
    for file in ("best.safetensors", "last/state.safetensors"):
        one, other = weights(tmp_path / "whole" / file), weights(tmp_path / "halves" / file)
        assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
    assert whole.best_loss == halves.best_loss


def test_steps_that_are_not_finite_are_left_out_counted_and_named(tmp_path, sticks, tiny):
    count = iter(range(1000))

    def sometimes(maps, targets, settings):
        return SINGLE.loss(maps, targets, settings) * (torch.nan if next(count) == 1 else 1.0)

    task = fit.Task(SINGLE.targets, sometimes, SINGLE.decode, SINGLE.metric)
    ended = run(tmp_path / "run", sticks, tiny, task=task)
    left_out = [line for line in lines(tmp_path / "run", "step") if "left_out" in line]
    assert ended.nonfinite == 1 and len(left_out) == 1 and left_out[0]["loss"] is None
    assert len(left_out[0]["left_out"]) == 4 and left_out[0]["left_out"][0].endswith(".jpg")
    assert not state.nonfinite(weights(ended.model))


def test_a_loss_that_stays_nan_ends_the_run(tmp_path, sticks, tiny, monkeypatch):
    monkeypatch.setattr(fit, "MOST_NONFINITE", 3)
    task = fit.Task(SINGLE.targets, lambda m, t, r: m[0].sum() * torch.nan, SINGLE.decode, SINGLE.metric)
    with pytest.raises(DataError, match="not finite 3 times in a row, last with .*jpg"):
        run(tmp_path / "run", sticks, tiny, task=task)
    assert not (tmp_path / "run" / "best.safetensors").exists()


def test_it_stops_when_nothing_is_gained(tmp_path, sticks, tiny):
    ended = run(tmp_path / "run", sticks, tiny | {"lr": 1e-12, "epochs": 30, "early_stop": 2})
    assert ended.epochs < 30


def test_low_precision_trains_too(tmp_path, sticks, tiny):
    ended = run(tmp_path / "run", sticks, tiny | {"epochs": 1, "precision": "bf16"})
    assert all(v.dtype != torch.bfloat16 for v in weights(ended.model).values())


def test_checking_waits_for_no_process_that_has_nothing_to_check(sticks, tiny):
    class Waits(torch.nn.Module):
        def forward(self, pictures):
            raise AssertionError("the other processes are waited for")

    resolved, dataset = recipe.validated(tiny, "tiny"), open_dataset(sticks)
    samples = loader.Samples(loader.entries(dataset, dataset.skeleton)[:2], dataset.skeleton, resolved)
    net = create(resolved.model, 2, **resolved.options)
    f = replace(fit.prepared(resolved, SINGLE, net, samples), net=Waits())
    assert fit.validate(f, net, samples)[0]["validation loss"] > 0


def test_in_fp16_a_gradient_that_overflows_is_left_out_and_a_smaller_scale_tried(sticks, tiny, monkeypatch):
    resolved, dataset = recipe.validated(tiny, "tiny"), open_dataset(sticks)
    samples = loader.Samples(loader.entries(dataset, dataset.skeleton), dataset.skeleton, resolved)
    steep = fit.Task(SINGLE.targets, lambda *a: 1e3 * SINGLE.loss(*a), SINGLE.decode, SINGLE.metric)
    f = fit.prepared(resolved, steep, create(resolved.model, 2, **resolved.options), samples)
    scaler = torch.amp.GradScaler(f.accelerator.device.type, init_scale=2e38)
    f.accelerator.scaler = scaler  # type: ignore[assignment]
    f.accelerator.native_amp = True
    monkeypatch.setattr(f.accelerator.state, "_mixed_precision", "fp16")  # which only GPUs have of themselves
    f = replace(f, optimiser=AcceleratedOptimizer(f.optimiser.optimizer, scaler=scaler))
    before, batch = [p.clone() for p in f.net.parameters()], samples.collate([samples[0, 0], samples[0, 1]])

    def learnt():
        return any(not torch.equal(a, b) for a, b in zip(before, f.net.parameters()))

    line = fit.step(f, batch, 4)
    assert line["left_out"] == list(batch.names) and not learnt()
    while "left_out" in fit.step(f, batch, 4):
        pass
    assert scaler.get_scale() < 1e38 and f.progress.in_a_row == 0 and learnt()


def test_level_weights_must_fit_the_network(tmp_path, sticks, tiny):
    with pytest.raises(UserError, match="ihm56 has 3 levels, level_weights has 2"):
        run(tmp_path / "run", sticks, tiny | {"level_weights": [1, 1]})


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({"schedule": "constant"}, [1, 1, 1, 1]),
        ({"schedule": "cosine", "epochs": 4}, [1, 0.853553, 0.5, 0.146447]),
        ({"schedule": "steps", "milestones": [1, 3]}, [1, 0.1, 0.1, 0.01]),
        ({"schedule": "plateau", "patience": 2}, [1, 1, 1, 0.1]),
        ({"schedule": "constant", "warmup": 2.0}, [0.05, 0.55, 1, 1]),
    ],
)
def test_the_rate_follows_its_schedule(tiny, settings, rates):
    resolved = recipe.validated(tiny | settings | {"lr": 1.0}, "tiny")
    losses = [3.0, 3.0, float("nan")]  # no gain after the first
    found = [
        fit.learning_rate(resolved, state.Progress(epoch=e, losses=losses[:e]), batches=10) for e in range(4)
    ]
    assert found == pytest.approx(rates, rel=1e-4)


def test_in_bfloat16_the_gradient_of_a_depthwise_layer_is_that_of_float32():
    torch.manual_seed(0)
    net = torch.nn.Conv2d(4, 4, 5, padding=2, groups=4)
    picture = torch.randn(2, 4, 9, 9).bfloat16()
    exact = torch.autograd.grad(net(picture.float()).square().sum(), net.weight)[0]
    fit.depthwise_in_float32(net)
    with torch.autocast("cpu", torch.bfloat16):
        seen = net(picture)
    assert seen.dtype == torch.bfloat16  # what follows computes as before
    ours = torch.autograd.grad(seen.float().square().sum(), net.weight)[0]
    torch.testing.assert_close(ours, exact, rtol=0.01, atol=0.01 * float(exact.abs().max()))
    frozen = torch.nn.Conv2d(4, 4, 5, groups=4).requires_grad_(False)
    fit.depthwise_in_float32(frozen)
    assert "forward" not in vars(frozen)
