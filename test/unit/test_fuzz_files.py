"""A few of the files that test/fuzz_files.py tries; as a program it goes on as long as asked."""

import signal

import pytest
from fuzz_files import KINDS, alarm, counts, jobs_of, one_round


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_is_read_or_refused_in_one_line(kind):
    before, previous = sum(counts.values()), signal.signal(signal.SIGALRM, alarm)
    try:
        for target, strategy in jobs_of(kind):
            one_round(target, strategy, 7, examples=5)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert sum(counts.values()) >= before + 5
