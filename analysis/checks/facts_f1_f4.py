"""F1–F4, on which the mended theorems rest, along real runs (theory §3 and §4)."""

import numpy as np

from analysis.checks.claim import Claim, Finding
from analysis.checks.count_min_one_sided import FORMS
from analysis.checks.streams import PROBLEMS, watched_run
from analysis.lab.intervals import HOLDS, REFUTED, rounding_allowance
from analysis.theory import descent

FACTS = ("F1", "F2", "F3", "F4")


def runs(problems, n, widths, betas, touched, steps):
    """One run for each problem, form, width, decay and chance of being touched."""
    return [
        {
            "problem": problem,
            "form": form,
            "n": n,
            "width": width,
            "beta": beta,
            "touched": chance,
            "steps": steps,
        }
        for problem in problems
        for form in FORMS
        for width in widths
        for beta in betas
        for chance in (touched if problem == "bowls" else [None])  # the others' data decide
    ]


def measure(settings, sequence):
    """For every fact the largest excess of its smaller side over its larger one, relative."""
    description = FORMS[settings["form"]](settings["width"], depth=3)
    data, stream = sequence.spawn(2)
    make = PROBLEMS[settings["problem"]]
    problem = make(settings["n"], settings["touched"], np.random.default_rng(data))
    beta, worst, tight = settings["beta"], dict.fromkeys(FACTS, 0.0), dict.fromkeys(FACTS, 0.0)
    constants = None

    def visit(store, moments):
        """Record how far each fact is from failing in a step."""
        nonlocal constants
        if constants is None:
            constants = _constants(settings["form"], store, problem)
        for fact, (smaller, larger) in _sides(
            moments, constants, beta, settings["form"] == "conservative"
        ).items():
            # of the larger of both sides: a right side that is wrongly 0 is an excess of 1
            scale = np.maximum(smaller, larger)
            excess, known = smaller - larger, scale > 0
            worst[fact] = max(worst[fact], float((excess[known] / scale[known]).max(initial=0)))
            ratio = smaller[larger > 0] / larger[larger > 0]
            tight[fact] = max(tight[fact], float(ratio.max(initial=0)))

    watched_run(problem, description, beta, settings["steps"], stream, visit)
    allowance = rounding_allowance(4 * settings["steps"] * settings["n"])
    return {"worst": worst, "tightest": tight, "allowance": allowance}


def _constants(form, store, problem):
    make = descent.conservative_constants if form == "conservative" else descent.linear_constants
    return make(store.buckets(np.arange(problem.size)), problem.gradient_bounds)


def _sides(moments, constants, beta, conservative):
    """The smaller and the larger side of each fact."""
    gained = (1 - beta) * moments.squares
    decayed = beta * moments.before
    ceilings = np.broadcast_to(constants.ceilings[:, None], gained.shape)
    collisions = (1 - beta) * constants.collisions[:, None]
    # the conservative update's F4 has the larger of both in the place of their sum
    grown = np.maximum(gained, collisions) if conservative else gained + collisions
    return {
        "F1": (moments.exact, moments.after),
        "F2": (decayed + gained, moments.after),
        "F3": (moments.after, ceilings),
        "F4": (moments.after, decayed + grown),
    }


def judge(measurements):
    """Refuted by one excess of any fact beyond rounding."""
    results = [result for _, result in measurements]
    worst = {fact: max(result["worst"][fact] for result in results) for fact in FACTS}
    tight = {fact: max(result["tightest"][fact] for result in results) for fact in FACTS}
    allowance = max(result["allowance"] for result in results)
    holds = all(max(result["worst"].values()) <= result["allowance"] for result in results)
    shown = ", ".join(f"{fact} {value:.3f}" for fact, value in tight.items())
    return Finding(
        verdict=HOLDS if holds else REFUTED,
        measured=max(worst.values()),
        bound=allowance,
        interval=None,
        draws=len(results),
        comparisons=0,
        note="largest relative excess over any fact, and what rounding may make; how tight each "
        f"is (smaller side over larger, at most): {shown}",
        curves={"runs": [{"settings": settings, **result} for settings, result in measurements]},
    )


CLAIM = Claim(
    name="facts-f1-f4",
    statement="F1–F4 at every step for every entry, plain (global) and conservative",
    source="theory §3 and §4",
    expected=HOLDS,
    sizes={
        "tiny": {
            "problems": ["bowls", "huber"],
            "n": 40,
            "widths": [4],
            "betas": [0.9],
            "touched": [0.3],
            "steps": 20,
        },
        "quick": {
            "problems": list(PROBLEMS),
            "n": 400,
            "widths": [8, 40],
            "betas": [0.5, 0.9, 0.999],
            "touched": [0.1, 1],
            "steps": 150,
        },
        "full": {
            "problems": list(PROBLEMS),
            "n": 1000,
            "widths": [8, 40, 200],
            "betas": [0.5, 0.9, 0.999],
            "touched": [0.01, 0.1, 1],
            "steps": 200,
        },
    },
    runs=runs,
    measure=measure,
    judge=judge,
    duration={"quick": "4 s", "full": "30 s"},
)
