"""The model behind ``icpi serve``: what it must recover, and that it never fails."""

import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from icpi_ros.llm.prompt.completion import complete
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines

RNG_SEED = 3
MATRIX = np.array([[0.4, -0.2, 0.5, 0.1], [0.1, 0.3, -0.2, 0.6]])


def lines(theta, error, outputs):
    return PatternLines((np.asarray(theta), np.asarray(error)), np.asarray(outputs))


def none(sizes=(2, 2), width=2):
    return PatternLines(tuple(np.empty((0, size)) for size in sizes), np.empty((0, width)))


def linear(n, matrix=MATRIX, seed=RNG_SEED):
    """Lines whose outputs are a linear map of their inputs."""
    inputs = np.random.default_rng(seed).uniform(-1, 1, (n, 4))
    return lines(inputs[:, :2], inputs[:, 2:], inputs @ matrix.T)


ASKED = (np.array([0.3, -0.4]), np.array([0.2, 0.5]))


def answer(matrix=MATRIX):
    return matrix @ np.concatenate(ASKED)


@pytest.mark.parametrize("own", [False, True])
def test_a_linear_pattern_is_recovered(own):
    many = linear(60)
    pattern = Pattern(none(), many, ASKED) if own else Pattern(many, none(), ASKED)
    np.testing.assert_allclose(complete(pattern).mean, answer(), atol=0.01)


def test_own_lines_override_shared_ones():
    """Own lines answer the last group otherwise than the shared ones: the query follows them."""
    other = MATRIX * np.array([1.0, 1.0, -0.5, 0.3])
    shared, own = linear(40), linear(30, other, seed=5)
    alone = complete(Pattern(shared, none(), ASKED)).mean
    both = complete(Pattern(shared, own, ASKED)).mean
    swapped = complete(Pattern(own, shared, ASKED)).mean
    wanted = answer(other)
    assert np.linalg.norm(both - wanted) < 0.25 * np.linalg.norm(alone - wanted)
    assert np.linalg.norm(swapped - answer()) < 0.25 * np.linalg.norm(alone - wanted)


def test_one_own_line_outweighs_many_shared_ones_where_it_is():
    shared, own_output = linear(40), np.array([[-0.4, -0.5]])
    own = PatternLines(tuple(group[np.newaxis] for group in ASKED), own_output)
    mean = complete(Pattern(shared, own, ASKED)).mean
    assert np.linalg.norm(mean - own_output[0]) < np.linalg.norm(mean - answer())


def test_two_solutions_are_not_averaged():
    """Lines lead to one of two places, left and right: an answer between them is wrong."""
    rng = np.random.default_rng(RNG_SEED)
    theta, error = rng.uniform(-0.5, 0.5, (40, 2)), rng.uniform(-0.5, 0.5, (40, 2))
    places = np.array([[0.8, 0.1], [-0.8, 0.1]])
    many = lines(theta, error, places[np.arange(40) % 2] - theta)
    for query in rng.uniform(-0.5, 0.5, (20, 2, 2)):
        guess = complete(Pattern(many, none(), (query[0], query[1])))
        assert np.linalg.norm(query[0] + guess.mean - places, axis=1).min() < 0.05


def test_no_lines_give_zeros_and_the_prior():
    guess = complete(Pattern(none(width=3), none(width=3), ASKED))
    np.testing.assert_array_equal(guess.mean, np.zeros(3))
    assert guess.std > 0.1


def test_more_lines_make_it_surer():
    few, many = (complete(Pattern(none(), linear(n), ASKED)).std for n in (3, 60))
    assert many < few


def test_outputs_of_another_width_than_the_first_group():
    many = linear(20)
    other = PatternLines(many.inputs, np.column_stack([many.outputs, many.outputs[:, 0]]))
    mean = complete(Pattern(other, none(width=3), ASKED)).mean
    np.testing.assert_allclose(mean[0], mean[2])
    assert mean.shape == (3,)


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("n", [1, 2, 3, 25])
@pytest.mark.parametrize("equal", [False, True])
def test_degenerate_lines_give_finite_answers(scale, n, equal):
    some = linear(n)
    order = np.zeros(n, dtype=np.intp) if equal else np.arange(n)
    inputs = tuple(scale * group[order] for group in some.inputs)
    for outputs in (scale * some.outputs[order], np.zeros((n, 2)), 1e-3 * some.outputs):
        for own in (False, True):
            many = PatternLines(inputs, outputs)
            query = tuple(group[0] for group in inputs)
            pattern = Pattern(none(), many, query) if own else Pattern(many, none(), query)
            guess = complete(pattern)
            assert np.isfinite(guess.mean).all()
            assert np.isfinite(guess.std)
            assert guess.std > 0.0
            # Asked for a line that is there: no answer is farther out than the lines are.
            assert np.abs(guess.mean).max() <= 3.0 * np.abs(outputs).max() + 1.0


values = st.one_of(st.just(0.0), st.floats(-3, 3), st.floats(-1e6, 1e6))


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(0, 6), st.integers(0, 4), st.integers(1, 3), st.integers(1, 3))
def test_any_pattern_gives_a_finite_answer(data, shared, own, groups, width):
    def array(*shape):
        count = int(np.prod(shape))
        found = data.draw(st.lists(values, min_size=count, max_size=count))
        return np.array(found).reshape(shape)

    def some(n):
        return PatternLines(tuple(array(n, 2) for _ in range(groups)), array(n, width))

    guess = complete(Pattern(some(shared), some(own), tuple(array(2) for _ in range(groups))))
    assert guess.mean.shape == (width,)
    assert np.isfinite(guess.mean).all()
    assert np.isfinite(guess.std)


def test_the_same_pattern_gives_the_same_digits():
    pattern = Pattern(linear(40), linear(6, seed=4), ASKED)
    first, second = complete(pattern), complete(pattern)
    np.testing.assert_array_equal(first.mean, second.mean)
    assert first.std == second.std


def test_the_answer_does_not_depend_on_threads():
    """BLAS threads: to far less than a quantum; callers side by side: to the last digit."""
    pattern = Pattern(linear(300), linear(30, seed=4), ASKED)
    with threadpool_limits(1):
        one = complete(pattern)
        found = []
        workers = [threading.Thread(target=lambda: found.append(complete(pattern))) for _ in "1234"]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=600.0)
    assert len(found) == 4
    for guess in found:
        np.testing.assert_array_equal(guess.mean, one.mean)
    with threadpool_limits(2):
        np.testing.assert_allclose(complete(pattern).mean, one.mean, atol=1e-9)


def test_memory_does_not_grow_with_lines_times_lines_times_inputs():
    n, p = 300, 200
    rng = np.random.default_rng(0)
    many = PatternLines((rng.normal(size=(n, p)),), rng.normal(size=(n, 2)))
    empty = PatternLines((np.empty((0, p)),), np.empty((0, 2)))
    tracemalloc.start()
    complete(Pattern(many, empty, (np.zeros(p),)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n * n * 30
