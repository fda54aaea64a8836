"""Building of labelled data sets by simulation, in one process or many."""
