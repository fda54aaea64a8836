"""The time of a reader of texts, for tests that its growth is linear."""

import time


def seconds(read, text):
    """Return the least of three times that ``read`` takes for a text [s]."""
    taken = []
    for _ in range(3):
        start = time.thread_time()  # of the processor: others may run beside the tests
        read(text)
        taken.append(time.thread_time() - start)
    return min(taken)
