"""Learning rates: known endpoints, known factors, and a range test on functions whose limit is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dnalm.training.schedule import discriminative_factors, find_learning_rate, one_cycle, parameter_groups


def test_one_cycle_begins_peaks_and_ends_where_it_says():
    rates = [one_cycle(step, 100, 0.25) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 25)
    assert max(rates) == rates[25] == pytest.approx(1)
    assert rates[-1] == pytest.approx(1e-4)
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)
    # Half way up the cosine: the mean of both ends; 12.5 lies between steps 12 and 13.
    assert (rates[12] + rates[13]) / 2 == pytest.approx((1 + 1 / 25) / 2, abs=1e-3)


@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_the_shortest_runs_have_rates_too(total):
    rates = [one_cycle(step, total, 0.1) for step in range(total)]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[0] == pytest.approx(1 / 25)


def test_each_layer_learns_slower_than_the_one_above():
    assert discriminative_factors(4, 2.6) == pytest.approx([2.6**-3, 2.6**-2, 1 / 2.6, 1])
    assert discriminative_factors(3, 1) == [1, 1, 1]


def test_groups_without_parameters_keep_the_factors_of_the_others():
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = parameter_groups([[parameters[0]], [], [parameters[1]]], 2.0)
    assert [group["factor"] for group in groups] == [0.25, 1]


@pytest.mark.parametrize("curvature", [1.0, 10.0, 100.0])
def test_the_range_test_stays_below_where_gradient_descent_diverges(curvature):
    """On curvature c/2 x^2 plain gradient descent diverges from a rate of 2/c up."""
    x = nn.Parameter(torch.full((10,), 3.0))
    optimizer = torch.optim.SGD([x], lr=1.0)
    rate = find_learning_rate(lambda step: curvature / 2 * x.pow(2).sum(), optimizer, low=1e-6, high=100.0)
    assert 0.002 / curvature < rate < 2 / curvature


def test_the_range_test_keeps_the_layers_factors():
    parameters = [nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [p], "factor": f} for p, f in zip(parameters, (0.0, 1.0), strict=True)])
    find_learning_rate(lambda step: sum(p.pow(2).sum() for p in parameters), optimizer, steps=20)
    assert parameters[0].item() == 1.0 != parameters[1].item()


def test_a_loss_that_is_no_number_ends_the_test():
    x = nn.Parameter(torch.ones(1))
    seen = []

    def loss_at(step):
        seen.append(step)
        return x.sum() * (float("nan") if step == 5 else 1.0)

    assert find_learning_rate(loss_at, torch.optim.SGD([x], lr=1.0)) > 0
    assert seen[-1] == 5
