"""The simulation, by properties and by what theory says of it."""

import random
from collections import Counter
from itertools import pairwise
from math import factorial, sqrt
from statistics import mean, quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.distribution import LEAST_LOADED, SMOOTH_WEIGHTED, STRATEGIES, Candidate
from contacts.simulation import Arrival, Busy, Scenario, Workload, replay
from contacts.simulation_runs import Estimate, Experiment, carry_out, measure, quantile

PERIOD = 100.0
moments = st.integers(0, 99).map(float)
members = st.builds(
    Candidate,
    operator_id=st.integers(1, 5),
    name=st.just("Anna"),
    weight=st.integers(1, 3),
    load=st.just(0),
    limit=st.integers(1, 3),
    is_active=st.booleans(),
    # Of a NamedTuple what has a default is made up, too.
    on_shift=st.just(True),
    back_at=st.none(),
    turns=st.just(0),
)
scenarios = st.builds(
    Scenario,
    team=st.lists(members, max_size=4, unique_by=lambda one: one.operator_id).map(
        lambda team: tuple(sorted(team, key=lambda one: one.operator_id))
    ),
    strategy=st.sampled_from(list(STRATEGIES)),
    sticky=st.booleans(),
)
arrivals = st.builds(
    Arrival,
    at=moments,
    handling=st.none() | st.integers(0, 60).map(float),
    lead=st.none() | st.integers(1, 3),
)
workloads = st.builds(
    Workload,
    seconds=st.just(PERIOD),
    arrivals=st.lists(arrivals, max_size=30).map(
        lambda all_: tuple(sorted(all_, key=lambda each: each.at))
    ),
    observed=st.just((5.0, 50.0)),
    busy=st.lists(
        st.builds(
            Busy,
            st.integers(1, 6),
            since=st.integers(-20, 99).map(float),
            until=st.integers(-10, 120).map(float),
        ),
        max_size=6,
    ).map(tuple),
)


def team(*weights, limit=10_000):
    return tuple(
        Candidate(number, f"Operator {number}", weight, load=0, limit=limit)
        for number, weight in enumerate(weights, 1)
    )


def coming(*handlings, every=1.0):
    """Contacts at even intervals from 0 on, each to be open for so long."""
    return tuple(Arrival(number * every, handling) for number, handling in enumerate(handlings))


def given_to(log):
    return [each.operator_id for each in log.handings]


def taken(operator_id, handings, workload, moment):
    """The places that an operator has given away just before a moment."""
    own = [each for each in handings if each.assigned < moment < each.closed]
    return sum(each.operator_id == operator_id for each in own) + sum(
        each.operator_id == operator_id and each.since < moment < each.until
        for each in workload.busy
    )


@given(scenarios, workloads)
def test_who_gets_a_contact_is_active_and_below_the_limit(scenario, workload):
    handings = replay(scenario, workload, seed="1").handings
    operators = {each.operator_id: each for each in scenario.team}
    for number, each in enumerate(handings):
        operator = operators[each.operator_id]
        # Those given at the same moment count too, unless they were closed by then.
        at_once = [
            other
            for other in handings[:number]
            if other.assigned == each.assigned < other.closed
            and other.operator_id == each.operator_id
        ]
        load = taken(each.operator_id, handings, workload, each.assigned) + len(at_once)
        assert operator.is_active
        assert load < operator.limit


@given(scenarios, workloads)
def test_a_contact_waits_only_while_all_are_full(scenario, workload):
    log = replay(scenario, workload, seed="1")
    waited = [(each.arrived, each.assigned) for each in log.handings]
    waited += [(moment, PERIOD) for moment in log.waiting]
    for since, until in waited:
        # Everything happens at whole seconds: so it stays until the next one.
        for moment in range(int(since), int(until)):
            for operator in scenario.team:
                load = taken(operator.operator_id, log.handings, workload, moment + 0.5)
                assert load >= operator.limit or not operator.is_active


@given(scenarios, workloads)
def test_every_arrival_is_handed_out_or_still_waits_in_the_order_of_coming(scenario, workload):
    log = replay(scenario, workload, seed="1")
    came = [each.at for each in workload.arrivals]
    assert [each.arrived for each in log.handings] + log.waiting == came
    handed = [each.assigned for each in log.handings]
    assert handed == sorted(handed)
    assert all(each.arrived <= each.assigned <= PERIOD for each in log.handings)


@given(scenarios, workloads)
def test_a_contact_is_open_for_its_handling_time_or_for_an_observed_one(scenario, workload):
    handings = replay(scenario, workload, seed="1").handings
    for each, arrival in zip(handings, workload.arrivals, strict=False):
        known = workload.observed if arrival.handling is None else [arrival.handling]
        assert each.closed - each.assigned in known


def test_with_room_for_all_the_shares_match_the_weights():
    weights, contacts = [1, 2, 3, 4], 10_000
    workload = Workload(contacts, coming(*[5.0] * contacts))
    got = Counter(given_to(replay(Scenario(team(*weights)), workload, seed="1")))
    for operator_id, weight in enumerate(weights, 1):
        share = weight / sum(weights)
        # Within 4 standard deviations.
        assert abs(got[operator_id] - contacts * share) < 4 * sqrt(contacts * share * (1 - share))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 4))
def test_a_smooth_rotation_gives_exact_counts(weights, cycles):
    contacts = sum(weights) * cycles
    workload = Workload(contacts, coming(*[5.0] * contacts))
    log = replay(Scenario(team(*weights), SMOOTH_WEIGHTED), workload, seed="1")
    assert Counter(given_to(log)) == {
        number: weight * cycles for number, weight in enumerate(weights, 1)
    }


def test_a_smooth_rotation_among_others_goes_on_where_it_was():
    alone = (Busy(1, since=3.5, until=5.5),)
    members = (*team(1, limit=1), Candidate(2, "Boris", 1, load=0, limit=10))
    workload = Workload(PERIOD, coming(*[0.5] * 8), busy=alone)
    assert given_to(replay(Scenario(members, SMOOTH_WEIGHTED), workload, seed="1")) == [
        *[1, 2, 1, 2],
        *[2, 2],
        *[1, 2],
    ]


def test_the_least_loaded_is_who_has_the_smallest_part_of_the_limit():
    members = (*team(1, limit=2), Candidate(2, "Boris", 1, load=0, limit=4))
    workload = Workload(PERIOD, coming(*[PERIOD] * 6))
    log = replay(Scenario(members, LEAST_LOADED), workload, seed="1")
    assert given_to(log) == [1, 2, 2, 1, 2, 2]


def test_a_lead_who_comes_again_goes_to_the_same_operator_where_that_is_the_rule():
    leads = tuple(Arrival(float(number), 1.0, lead=7) for number in range(20))
    workload = Workload(PERIOD, leads)
    again = replay(Scenario(team(1, 1), sticky=True), workload, seed="1")
    assert len(set(given_to(again))) == 1
    assert len(set(given_to(replay(Scenario(team(1, 1)), workload, seed="1")))) == 2


def test_the_same_seed_draws_the_same_and_another_one_does_not():
    scenario, workload = Scenario(team(1, 1)), Workload(PERIOD, rate=1.0, mean_handling=5.0)
    assert replay(scenario, workload, seed="1") == replay(scenario, workload, seed="1")
    assert replay(scenario, workload, seed="1") != replay(scenario, workload, seed="2")


def test_two_scenarios_of_a_seed_face_the_same_contacts():
    workload = Workload(PERIOD, rate=1.0, mean_handling=5.0)
    logs = [replay(Scenario(team(*weights)), workload, seed="1") for weights in ([1], [1, 2, 3])]
    first, second = (
        [(each.arrived, each.closed - each.assigned) for each in log.handings] for log in logs
    )
    assert first == second


def test_every_scenario_has_the_same_runs():
    scenario, workload = Scenario(team(1, 2)), Workload(PERIOD, rate=1.0, mean_handling=5.0)
    first, second = carry_out(Experiment((scenario, scenario), workload, runs=3), processes=1)
    assert first == second


def test_the_result_does_not_depend_on_the_number_of_processes():
    experiment = Experiment(
        scenarios=(Scenario(team(1, 2)), Scenario(team(2, 1), LEAST_LOADED)),
        workload=Workload(PERIOD, rate=1.0, mean_handling=5.0),
        runs=5,
    )
    done = []
    one = carry_out(experiment, processes=1)
    assert one == carry_out(experiment, processes=2, progress=lambda *of: done.append(of))
    assert done == [(number, 10) for number in range(1, 11)]


def figures_of(scenario, workload):
    return measure(scenario, workload, replay(scenario, workload, seed="1"))


def test_the_figures_of_one_who_is_busy_all_the_time():
    workload = Workload(PERIOD, coming(60.0, 60.0, 60.0, every=10.0))
    figures = figures_of(Scenario(team(1, limit=1)), workload)
    assert (figures.contacts, figures.waited, figures.still_waiting) == (3, 2, 1)
    # 50 s for the second, 80 s until the end for the third.
    assert (figures.wait_median, figures.wait_p95) == (65, pytest.approx(78.5))
    assert figures.share == {1: 1}
    assert figures.use == {1: 1}
    assert figures.at_limit == {1: 1}


def test_other_contacts_take_places_even_above_the_limit():
    busy = (Busy(1, since=-5, until=50), Busy(1, since=0, until=50), Busy(2, since=0, until=50))
    workload = Workload(PERIOD, (Arrival(10.0, 20.0),), busy=busy)
    figures = figures_of(Scenario(team(1, limit=1)), workload)
    assert figures.wait_median == 40
    # Two until 50, one from 50 to 70; who is not in the team has no figures.
    assert figures.use == {1: 1.2}
    assert figures.at_limit == {1: 0.7}


def test_what_ends_when_it_begins_takes_and_frees_no_place():
    busy = (Busy(1, since=5, until=5), Busy(1, since=6, until=4))
    workload = Workload(PERIOD, coming(60.0, 60.0), busy=busy)
    log = replay(Scenario(team(1, limit=1)), workload, seed="1")
    assert [each.assigned for each in log.handings] == [0, 60]


def test_without_a_wait_there_is_no_length_of_it():
    figures = figures_of(Scenario(team(1)), Workload(PERIOD, coming(1.0)))
    assert (figures.waited, figures.wait_median, figures.wait_p95) == (0, None, None)


def test_a_length_of_wait_is_estimated_over_the_runs_that_had_one():
    workload = Workload(PERIOD, rate=0.02, mean_handling=60.0)
    experiment = Experiment((Scenario(team(1, limit=1)),), workload, runs=40)
    runs = [experiment.run(job) for job in range(40)]
    waits = [run.wait_median for run in runs if run.wait_median is not None]
    assert 0 < len(waits) < 40
    (estimates,) = carry_out(experiment, processes=1)
    assert estimates.wait_median.mean == pytest.approx(mean(waits))
    assert estimates.waited.mean == mean(run.waited for run in runs)


def test_where_nothing_comes_every_figure_is_nothing():
    experiment = Experiment((Scenario(team(1)),), Workload(PERIOD), runs=3)
    (figures,) = carry_out(experiment, processes=1)
    assert figures.contacts == figures.share[1] == figures.use[1] == Estimate(0, 0, 0)
    assert figures.wait_median is None


def test_as_many_wait_as_erlang_says():
    """The C formula of Erlang (1917) for the chance to wait with c servers offered a erlangs."""
    servers, offered = 5, 4.0
    full = offered**servers / factorial(servers) * servers / (servers - offered)
    chance = full / (sum(offered**n / factorial(n) for n in range(servers)) + full)
    workload = Workload(20_000.0, rate=1.0, mean_handling=offered)
    experiment = Experiment((Scenario(team(1, limit=servers)),), workload, runs=5)
    runs = [experiment.run(job) for job in range(5)]
    assert mean(run.waited / run.contacts for run in runs) == pytest.approx(chance, abs=0.02)
    assert mean(run.use[1] for run in runs) == pytest.approx(offered / servers, abs=0.02)


@given(st.lists(st.integers(-1000, 1000), min_size=2))
def test_a_quantile_is_what_python_says(values):
    known = quantiles(values, n=20, method="inclusive")
    assert quantile(values, 0.05) == pytest.approx(known[0])
    assert quantile(values, 0.95) == pytest.approx(known[-1])
    assert quantile(values[:1], 0.95) == values[0]


def test_the_arrivals_of_a_rate_are_a_poisson_process():
    arrivals = Workload(10_000.0, rate=1.0, mean_handling=5.0).sample(random.Random(1))
    gaps = [after.at - before.at for (before, _), (after, _) in pairwise(arrivals)]
    assert len(arrivals) == pytest.approx(10_000, abs=4 * 100)
    # Exponential: as many gaps above their mean as e⁻¹ says.
    assert mean(gap > 1 for gap in gaps) == pytest.approx(0.368, abs=0.02)
    assert mean(handling for _, handling in arrivals) == pytest.approx(5, abs=0.2)
