"""How far the rankings of test_improvers stand from their factors, over many seeds; by hand.

Every seed draws another data set and other instances.  Prints for each row the smallest and the
median ratio of the two costs, and the smallest over the factor: the test needs 1.

    PYTHONPATH=test python test/contract/ranking_seeds.py --seeds 20
"""

import argparse
import time

import numpy as np
import toy
from test_improvers import RANKING, ranked_costs, ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    options = parser.parse_args()
    start, ratios = time.process_time(), []
    for seed in range(options.first, options.first + options.seeds):
        costs = ranked_costs(toy.context(toy.dataset(seed=seed)), seed=1000 + seed)
        ratios.append([ratio(costs, *row[:3]) for row in RANKING])
    seconds = (time.process_time() - start) / options.seeds
    print(f"{options.seeds} seeds, {seconds:.1f} s of processor time each")
    for row, column in zip(RANKING, np.array(ratios).T, strict=True):
        better, worse, adjustments, factor = row
        low, middle = column.min(), np.median(column)
        print(
            f"{better:>16} / {worse:16} at {adjustments}: factor {factor:5.1f}, "
            f"lowest {low:7.2f}, median {middle:7.2f}, head room {low / factor:5.2f}"
        )


if __name__ == "__main__":
    main()
