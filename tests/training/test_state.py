"""What is saved is whole, checked, finite, and gives back exactly what was there."""

import json
import os
from typing import Any

import pytest
import torch
from safetensors import safe_open

from heatmark.card import KEY, Card
from heatmark.errors import DataError, UserError
from heatmark.models import create
from heatmark.training import state
from heatmark.training.state import Progress
from heatmark.types import Skeleton


def learner(seed=0):
    torch.manual_seed(seed)
    net: Any = create("ihm56", points=1, backbone="tiny", width=0.02).train()
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 0.01, fused=True)
    return net, optimiser


def stepped(net, optimiser, count=2):
    for _ in range(count):
        optimiser.zero_grad()
        torch.stack([m.mean() for m in net(torch.full((2, 3, 32, 32), 0.5))]).sum().backward()
        optimiser.step()
    return {k: v.clone() for k, v in net.state_dict().items()}


def damage(path, where=-40):
    raw = bytearray(path.read_bytes())
    raw[where] ^= 0xFF
    path.write_bytes(bytes(raw))


def test_what_is_saved_goes_on_as_if_nothing_had_happened(tmp_path):
    net, optimiser = learner()
    stepped(net, optimiser)
    state.save(tmp_path, net, optimiser, Progress(epoch=3, losses=[2.0, float("nan")], data="x"))
    wanted = stepped(net, optimiser)  # dropout drew on
    other, other_optimiser = learner(seed=9)
    progress = Progress(data="x")
    said = state.resume(tmp_path, other, other_optimiser, progress)
    assert progress.epoch == 3 and len(progress.losses) == 2 and "epoch 4" in said
    for key, value in stepped(other, other_optimiser).items():
        assert torch.equal(value, wanted[key]), key


def test_what_a_killed_save_left_is_not_there_after_the_next(tmp_path, monkeypatch):
    net, optimiser = learner()
    stepped(net, optimiser)
    for kill_at in (0, 1):  # while the file is written; once it is, before it has its name
        with monkeypatch.context() as patch:
            calls = iter(range(9))
            replace = os.replace

            def killed(*paths, calls=calls, kill_at=kill_at, replace=replace):
                if next(calls) == kill_at:
                    raise KeyboardInterrupt
                replace(*paths)

            patch.setattr("os.replace", killed)
            patch.setattr("pathlib.Path.unlink", lambda *_, **__: None)
            with pytest.raises(KeyboardInterrupt):
                state.save(tmp_path, net, optimiser, Progress())
        assert len(list((tmp_path / "last").iterdir())) == 1
    state.save(tmp_path, net, optimiser, Progress())
    assert [p.name for p in (tmp_path / "last").iterdir()] == [state.STATE]


@pytest.mark.parametrize("fault", ["truncated", "flipped", "empty", "missing"])
def test_a_damaged_state_falls_back_on_the_one_before(tmp_path, fault):
    net, optimiser = learner()
    for step in (1, 2):
        stepped(net, optimiser, 1)
        state.save(tmp_path, net, optimiser, Progress(step=step))
    newest = tmp_path / "last" / state.STATE
    if fault == "truncated":
        newest.write_bytes(newest.read_bytes()[:-100])
    elif fault == "flipped":
        damage(newest)
    elif fault == "empty":
        newest.write_bytes(b"")
    else:
        newest.unlink()
    progress = Progress()
    said = state.resume(tmp_path, net, optimiser, progress)
    assert progress.step == 1 and (fault == "missing" or str(newest) in said)


def test_two_damaged_states_are_an_error_that_names_both(tmp_path):
    net, optimiser = learner()
    for _ in range(2):
        state.save(tmp_path, net, optimiser, Progress())
    for name in (state.STATE, state.BEFORE):
        damage(tmp_path / "last" / name)
    with pytest.raises(DataError, match=f"{state.STATE}.*checksum[^;]*; [^;]*{state.BEFORE}.*checksum[^;]*$"):
        state.resume(tmp_path, net, optimiser, Progress())


def test_a_state_of_other_data_is_not_taken_up(tmp_path):
    net, optimiser = learner()
    state.save(tmp_path, net, optimiser, Progress(data=state.fingerprint(["a", "b"])))
    with pytest.raises(UserError, match="trained on 2 objects.*now there are 3 objects"):
        state.resume(tmp_path, net, optimiser, Progress(data=state.fingerprint(["a", "b", "c"])))


def test_what_is_not_finite_is_named_and_the_old_file_stays(tmp_path):
    net, _ = learner()
    card = Card.model_validate(
        {
            "name": "t",
            "skeleton": Skeleton("t", ("a",)),
            "size": (32, 32),
            "model": "ihm56",
            "strides": net.strides,
        }
    )
    path = tmp_path / "best.safetensors"
    state.write_model(path, net, card)
    before = path.read_bytes()
    with torch.no_grad():
        net.heads["1"].draw.bias.fill_(torch.nan)
    with pytest.raises(state.NotFinite, match="1 tensors are not finite, the first is heads.1.draw.bias"):
        state.write_model(path, net, card)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["best.safetensors"]
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()[KEY])["name"] == "t"


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    state.write(path, {"a": torch.ones(2)}, {})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state.os, "fsync", full)
    with pytest.raises(DataError, match="w.safetensors: cannot be written .No space left"):
        state.write(path, {"a": torch.zeros(2)}, {})
    tensors, _ = state.read(path)
    assert tensors["a"].tolist() == [1, 1] and len(list(tmp_path.iterdir())) == 1
