"""The training loop on a model of one weight: where it stops, what it keeps, and that a stop changes nothing."""

from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from torch import nn

from dnalm.errors import RunError
from dnalm.model.dropout import Dropout
from dnalm.training.config import ComputeConfig, OptimizerConfig
from dnalm.training.loop import Loop, Stage, curve_spacing, make_fabric
from dnalm.training.processes import SharedBatchNorm1d, share_batch_norms, stop_signals
from dnalm.training.run import RunFolder
from dnalm.training.schedule import one_cycle
from dnalm.training.seeding import seeded

STEPS = 12
FABRIC = make_fabric(ComputeConfig(accelerator="cpu"))


class Killed(BaseException):
    """Stands for the moment at which a process dies."""


class Net(nn.Module):
    """A recurrent sum with dropout and a batch norm: everything whose state a checkpoint has to hold."""

    def __init__(self):
        super().__init__()
        with seeded(0):
            self.linear, self.norm, self.drop = nn.Linear(3, 3), nn.BatchNorm1d(3), Dropout(0.3)

    def forward(self, x, carried):
        return torch.tanh(self.linear(self.drop(self.norm(x))) + (0 if carried is None else carried))


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(8, 3, generator=generator)
    return x, x.sum(1, keepdim=True)


def loss(module, data, carried):
    x, y = data
    state = module(x, None if carried is None else carried[0][0])
    return (state.sum(1, keepdim=True) - y).pow(2).mean(), len(x), [(state.detach(), state.detach())]


def stage(net, name="one", dies_at=None, **changes) -> Stage:
    def read(step):
        if step == dies_at:
            raise Killed
        return batch(step)

    fields = {
        "name": name,
        "module": net,
        "groups": [{"params": list(net.parameters()), "factor": 1.0}],
        "steps": STEPS,
        "optimizer": OptimizerConfig(learning_rate=0.05),
        "batch": read,
        "loss": loss,
        "validate": lambda: {"loss": float(net.linear.weight.sum())},
        "validate_every": 5,
        "watch": "loss",
    }
    return Stage(**{**fields, **changes})


def folder(path) -> RunFolder:
    return RunFolder.open_or_create(path, {"phase": "test"})


def fit(run, makes, seed=0, checkpoint_seconds=60.0, progress=None):
    Loop(run, FABRIC, seed=seed, checkpoint_seconds=checkpoint_seconds, progress=progress).fit(makes)


def two_stages(path, *, dies_at=(None, None), checkpoint_seconds=0.0):
    """A frozen stage, then all: returns the weights and the metrics."""
    net, run = Net(), folder(path)

    def first():
        net.norm.requires_grad_(False)
        groups = [{"params": list(net.linear.parameters()), "factor": 1.0}]
        return stage(net, "head", dies_at[0], groups=groups, watch=None)

    def second():
        net.requires_grad_(True)
        groups = [{"params": list(net.norm.parameters()), "factor": 0.5}]
        groups.append({"params": list(net.linear.parameters()), "factor": 1.0})
        return stage(net, "all", dies_at[1], groups=groups)

    fit(run, [first, second], checkpoint_seconds=checkpoint_seconds)
    return net.state_dict(), run.metrics()


def assert_same(left: dict, right: dict):
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


class TestResuming:
    @pytest.mark.parametrize("at", range(STEPS))
    @pytest.mark.parametrize("which", [0, 1])
    def test_killed_at_any_step_it_ends_at_the_same_bits(self, tmp_path, which, at):
        weights, metrics = two_stages(tmp_path / "whole")
        dies_at = (at, None) if which == 0 else (None, at)
        with pytest.raises(Killed):
            two_stages(tmp_path / "cut", dies_at=dies_at)
        again, rows = two_stages(tmp_path / "cut")
        assert_same(weights, again)
        assert rows == metrics
        assert [(row["phase"], row["step"]) for row in rows] == [
            (phase, step) for phase in ("head", "all") for step in (5, 10, 12)
        ]

    def test_killed_before_the_first_checkpoint_it_begins_anew(self, tmp_path):
        weights, metrics = two_stages(tmp_path / "whole")
        with pytest.raises(Killed):
            two_stages(tmp_path / "cut", dies_at=(7, None), checkpoint_seconds=1000)
        assert not (tmp_path / "cut" / "checkpoint").exists()
        again, rows = two_stages(tmp_path / "cut")
        assert_same(weights, again)
        assert rows == metrics

    def test_killed_again_and_again(self, tmp_path):
        weights, metrics = two_stages(tmp_path / "whole")
        for dies_at in [(3, None), (3, None), (9, None), (None, 0), (None, 6), (None, 11)]:
            with pytest.raises(Killed):
                two_stages(tmp_path / "cut", dies_at=dies_at)
        again, rows = two_stages(tmp_path / "cut")
        assert_same(weights, again)
        assert rows == metrics

    def test_a_finished_one_is_read_back(self, tmp_path):
        weights, metrics = two_stages(tmp_path / "run")
        again, rows = two_stages(tmp_path / "run", dies_at=(0, 0))
        assert_same(weights, again)
        assert rows == metrics

    def test_the_seed_decides(self, tmp_path):
        nets = []
        for number, seed in enumerate((0, 0, 1)):
            torch.manual_seed(number)  # nobody's business
            nets.append(Net())
            fit(folder(tmp_path / str(number)), [lambda net=nets[-1]: stage(net)], seed=seed)
        assert_same(nets[0].state_dict(), nets[1].state_dict())
        assert not torch.equal(nets[0].linear.weight, nets[2].linear.weight)

    def test_another_number_of_processes_is_refused(self, tmp_path):
        two_stages(tmp_path / "run")
        path = tmp_path / "run" / "checkpoint" / "state.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "world": 4}))
        with pytest.raises(RunError, match="written by 4 processes, this run has 1: resume with as many devices"):
            two_stages(tmp_path / "run")

    def test_a_rate_that_was_found_is_kept(self, tmp_path):
        def run(path, dies_at=None):
            net = Net()
            rates = OptimizerConfig(learning_rate="find")
            fit(folder(path), [lambda: stage(net, dies_at=dies_at, optimizer=rates)], checkpoint_seconds=0)
            return net.state_dict(), folder(path).metrics()

        whole, metrics = run(tmp_path / "whole")
        # The range test reads batches 0 to 99 as well: the run dies when it comes to batch 6 the second time.
        seen = []

        def second_time(step):
            seen.append(step)
            if step == 6 and seen.count(6) == 2:
                raise Killed
            return batch(step)

        net = Net()
        with pytest.raises(Killed):
            fit(
                folder(tmp_path / "cut"),
                [lambda: stage(net, optimizer=OptimizerConfig(learning_rate="find"), batch=second_time)],
                checkpoint_seconds=0,
            )
        again, rows = run(tmp_path / "cut")
        assert_same(whole, again)
        assert rows == metrics
        assert "learning rate" in (tmp_path / "cut" / "log.txt").read_text()


class TestStopping:
    def test_sigterm_saves_and_the_run_goes_on_later(self, tmp_path):
        net, run = Net(), folder(tmp_path / "one")
        fit(run, [lambda: stage(net)], checkpoint_seconds=1000)
        other, cut = Net(), folder(tmp_path / "cut")

        def signalled(step):
            if step == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            return batch(step)

        with pytest.raises(KeyboardInterrupt):
            fit(cut, [lambda: stage(other, batch=signalled)], checkpoint_seconds=1000)
        assert cut.load_checkpoint()[1]["step"] == 5
        fit(cut, [lambda: stage(other)], checkpoint_seconds=1000)
        assert_same(net.state_dict(), other.state_dict())

    def test_handlers_are_put_back(self):
        before = signal.getsignal(signal.SIGTERM)
        with stop_signals() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert stop.is_set()
            with pytest.raises(KeyboardInterrupt):  # the second time it means it
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is before

    def test_a_loss_that_is_no_number_is_one_sentence(self, tmp_path):
        def spoilt(module, data, carried):
            value, count, state = loss(module, data, None)
            return value * (float("nan") if data[0][0, 0] == batch(7)[0][0, 0] else 1), count, state

        net, run = Net(), folder(tmp_path / "run")
        with pytest.raises(RunError) as caught, run.failing_plainly():
            fit(run, [lambda: stage(net, loss=spoilt)])
        assert str(caught.value) == (
            "the loss became nan at step 7 of one: take a lower learning rate (now 0.05) or a smaller clip (now 1)"
        )
        assert run.read_progress()["state"] == "failed"
        assert torch.isfinite(net.linear.weight).all()


class TestEarlyStopping:
    def figures(self, values):
        left = iter(values)
        return lambda: {"loss": next(left)}

    def run(self, tmp_path, values, patience):
        net, run, kept = Net(), folder(tmp_path / "run"), {}

        def validate():
            value = figures()["loss"]
            kept[value] = net.linear.weight.detach().clone()
            return {"loss": value}

        figures = self.figures(values)
        fit(run, [lambda: stage(net, validate=validate, validate_every=2, patience=patience)])
        return net, run, kept

    def test_it_ends_after_patience_and_keeps_the_best(self, tmp_path):
        net, run, kept = self.run(tmp_path, [3.0, 1.0, 2.0, 1.5], patience=2)
        assert [row["step"] for row in run.metrics()] == [2, 4, 6, 8]
        assert torch.equal(net.linear.weight, kept[1.0])

    def test_without_a_worse_one_it_runs_to_the_end(self, tmp_path):
        net, run, kept = self.run(tmp_path, [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], patience=1)
        assert len(run.metrics()) == 6
        assert torch.equal(net.linear.weight, kept[1.0])

    def test_without_a_watched_figure_the_last_weights_stay(self, tmp_path):
        net, last = Net(), {}
        validate = lambda: last.update(w=net.linear.weight.detach().clone()) or {"loss": -len(last)}  # noqa: E731
        fit(folder(tmp_path / "run"), [lambda: stage(net, validate=validate, watch=None)])
        assert torch.equal(net.linear.weight, last["w"])


class TestReports:
    def test_metrics_say_loss_and_rate(self, tmp_path):
        net, run = Net(), folder(tmp_path / "run")
        fit(run, [lambda: stage(net)])
        rows = run.metrics()
        assert rows[0]["learning_rate"] == pytest.approx(0.05 * one_cycle(4, STEPS, 0.1))
        assert rows[0].keys() == {"phase", "step", "train_loss", "learning_rate", "loss"}

    def test_the_training_curve_has_points_between_validations_each_step_once(self, tmp_path):
        run, losses = folder(tmp_path / "run"), []

        def noted(module, data, carried):
            value, count, state = loss(module, data, carried)
            losses.append(value.item())
            return value, count, state

        fit(run, [lambda: stage(Net(), loss=noted, curve_every=2, bits_per_nat=0.5)])
        rows = run.metrics()
        assert [row["step"] for row in rows] == [2, 4, 5, 6, 8, 10, 12]
        assert [row["step"] for row in rows if "loss" in row] == [5, 10, 12]
        # Each row's loss is the mean over the steps since the row before, whatever that row was.
        assert rows[1]["train_loss"] == pytest.approx(sum(losses[2:4]) / 2)
        assert rows[2]["train_loss"] == pytest.approx(losses[4])
        assert rows[3]["train_bits_per_base"] == pytest.approx(losses[5] / 2)

    @pytest.mark.parametrize("at", [1, 2, 4, 5, 7, 11])
    def test_a_kill_leaves_no_trace_in_the_training_curve(self, tmp_path, at):
        net, cut, again = Net(), Net(), Net()
        fit(folder(tmp_path / "whole"), [lambda: stage(net, curve_every=2)])
        with pytest.raises(Killed):
            fit(folder(tmp_path / "cut"), [lambda: stage(cut, dies_at=at, curve_every=2)], checkpoint_seconds=0)
        fit(folder(tmp_path / "cut"), [lambda: stage(again, curve_every=2)])
        assert_same(net.state_dict(), again.state_dict())
        assert folder(tmp_path / "cut").metrics() == folder(tmp_path / "whole").metrics()

    @pytest.mark.parametrize(
        ("steps", "spacing"), [(1, 1), (400, 2), (10_000, 50), (200_000, 50), (250_000, 50), (2_000_000, 400)]
    )
    def test_a_short_run_has_a_curve_and_a_long_one_no_more_than_can_be_read(self, steps, spacing):
        assert curve_spacing(steps) == spacing

    def test_progress_is_whole_and_reaches_the_caller(self, tmp_path):
        run, seen = folder(tmp_path / "run"), []
        fit(run, [lambda: stage(Net(), per_step=100)], progress=seen.append)
        assert seen[-1]["step"] == seen[-1]["total"] == STEPS
        assert seen[-1]["eta_s"] == 0
        assert run.read_progress().items() >= {"phase": "one", "unit": "bases/s", "state": "running"}.items()
        assert run.read_progress()["pid"] == os.getpid()

    def test_dropouts_get_their_generators_for_the_run_alone(self, tmp_path):
        net = Net()
        fit(folder(tmp_path / "run"), [lambda: stage(net)])
        assert net.drop.generator is None


def test_shared_batch_norms_keep_weights_and_statistics():
    net = Net()
    net(torch.randn(8, 3), None)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    share_batch_norms(net)
    assert isinstance(net.norm, SharedBatchNorm1d)
    assert_same(before, net.state_dict())
    net.eval()
    plain = Net().eval()
    plain.load_state_dict(before)
    x = torch.randn(8, 3)
    assert torch.equal(net(x, None), plain(x, None))
