#!/bin/sh
# Runs a command at a quarter of this machine's speed: a test that fails so judges by the clock.
#   tools/at_a_quarter.sh .ci/run
# Needs root, for the control group that all processes of the command are put into.
set -eu
[ "$#" -gt 0 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
period=100000
quota=$(($(nproc) * period / 4))
name=icpi-quarter-$$
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then # version 2
    group=/sys/fs/cgroup/$name
    mkdir "$group"
    echo "$quota $period" >"$group/cpu.max"
    echo 10000 >"$group/cpu.weight" # the quarter is there whatever else runs
else
    group=/sys/fs/cgroup/cpu/$name
    mkdir "$group"
    echo "$period" >"$group/cpu.cfs_period_us"
    echo "$quota" >"$group/cpu.cfs_quota_us"
    echo 100000 >"$group/cpu.shares" # the quarter is there whatever else runs
fi
trap 'rmdir "$group" 2>/dev/null || true' EXIT
code=0
sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@" || code=$?
exit "$code"
