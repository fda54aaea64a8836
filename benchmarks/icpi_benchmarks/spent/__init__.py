"""Benchmark of the trials that runs spend: repeats under noise, and the end of a converged run."""
