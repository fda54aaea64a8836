"""Evaluate a bag offline: perception again, what improvers would propose, what it would cost."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import check_source, checked_output, model_options
from icpi_ros.cli.bags import given_poses, open_bag, refuse_inside
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.evaluate.evaluation import as_json, evaluate
from icpi_ros.evaluate.proposals import PAIRS
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.improvers import IMPROVERS, check_shared
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import load
from icpi_ros.perception.calibration.file import load_camera
from icpi_ros.report.bag.evaluation_page import replay_page
from icpi_ros.report.bag.evaluation_text import replay_lines
from icpi_ros.report.page import save
from icpi_ros.robots import find_arm
from icpi_ros.tasks import TASKS


def run(args: argparse.Namespace) -> int:
    """Carry out ``icpi replay``; 0 if at least one run was evaluated."""
    outputs = [checked_output(args.html)] if args.html else []
    outputs += [args.json.path] if args.json and args.json.path else []
    refuse_inside(args.bag, outputs)
    request = make_request(args)
    bag = open_bag(args.bag, args.topics)
    found = evaluate(bag, request)
    for line in replay_lines(found):
        print(printable(line))
    if args.json:
        args.json.write(as_json(bag, found))
    if args.html:
        save(args.html, replay_page(bag, found))
        print(f"page: {args.html.absolute()}")
    return 0


def make_request(args: argparse.Namespace) -> EvaluationRequest:
    """Check the arguments before the bag is read.

    Raises:
        UsageError: names the argument, the value and what is allowed.
    """
    names = tuple(name.strip() for name in args.improver.split(",") if name.strip())
    for name in names:
        IMPROVERS.get(name)
    options = model_options(args)
    check_shared(options, names)
    if args.task:
        TASKS.get(args.task)
    if args.source:
        check_source(args.source)
    if args.dataset and not args.task:
        raise UsageError("--dataset is of one task: say which with --task")
    return EvaluationRequest(
        improvers=names,
        task=args.task or None,
        run_id=args.run_id or None,
        source=args.source or None,
        camera=load_camera(args.calibration) if args.calibration else None,
        dataset=load(args.dataset, TASKS.get(args.task)) if args.dataset else None,
        seed=args.seed,
        max_step=args.max_step,
        options=options,
        pairs=PAIRS if args.pairs is None else args.pairs,
        workers=Workers(args.workers or 1, args.dask),
        arm=find_arm(args.arm) if args.arm else None,
        poses=given_poses(args),
        mix=args.mix,
    )
