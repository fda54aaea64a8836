"""Contract checks of tasks, improvers, arms and sensor sources, for ours and for other people's.

Each check is a function of one part that raises an error with the reason where it fails; the first
line of its docstring says what holds.  ``icpi check-plugin FILE`` runs them over what a plug-in
registers, ``pytest --pyargs icpi_ros.testing`` over what installed packages and ``$ICPI_PLUGINS``
add, and our own contract tests over what comes with the package.
"""
