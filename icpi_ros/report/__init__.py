"""Reports as text, pictures and pages: runs, bags, data sets, physics, arms, benchmarks."""
