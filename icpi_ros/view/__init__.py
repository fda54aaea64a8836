"""Live page of runs, in a browser on this machine, on viser: imported by `icpi view` alone."""
