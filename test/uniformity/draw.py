"""The wire at a glance: without Ghost Pipe's rules, and with them.

    draw.py INPUT.json FOLDER    writes wire.svg and wire.png

Input: {without: CAPTURE, withIt: [CAPTURE]}, captures as `analyse.py` reads them. Each dot is the first byte of a
device after its slot opened: dots of two colours at two heights give events away.
"""
import json
import os
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from wire import slots_of

EVENT, QUIET, GREY = "#c2410c", "#1d4ed8", "#52525b"
MOST_SLOTS = 400
# The same for all, so that heights can be compared. What comes later, or not in its slot, is drawn at the upper edge.
RANGE_MS = (-10, 110)
TITLES = {
    "naive": "Without: blocks of one size, built at the tick",
    "uplink": "With: a sender in OT",
    "downlink": "With: a receiver in OT, firmware coming in",
    "receiver": "With: a receiver in IT",
}


def first_bytes(capture):
    """Of each slot, at most so many: whether something happened, and when the device's first byte came (ms)."""
    rows = []
    for scene, (times, is_up, sizes) in slots_of(capture):
        sent = times[is_up & (sizes > 0)]
        rows.append((scene["isEvent"], np.clip(sent[0], *RANGE_MS) if len(sent) else RANGE_MS[1]))
    return rows[:MOST_SLOTS]


def draw(axes, capture):
    rows = first_bytes(capture)
    moments, often = axes
    for is_event, colour, label in ((False, QUIET, "quiet"), (True, EVENT, "something happens")):
        places = [at for at, row in enumerate(rows) if row[0] == is_event]
        first = np.array([rows[at][1] for at in places])
        moments.scatter(places, first, s=8, c=colour, alpha=0.75, linewidths=0, label=label, clip_on=False)
        often.hist(first, np.linspace(*RANGE_MS, 40), color=colour, alpha=0.55, orientation="horizontal")
    for each in axes:
        each.set_ylim(*RANGE_MS)
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=8)
    often.set_xticks([])
    often.set_yticks([])
    moments.set_title(TITLES[capture["name"]], loc="left", fontsize=10, color=GREY)
    moments.set_ylabel("first byte after\nthe tick, ms", fontsize=8)


with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)
captures = [asked["without"], *asked["withIt"]]
figure, rows = plt.subplots(
    len(captures), 2, figsize=(10, 2.3 * len(captures)), width_ratios=(5, 1), layout="constrained", squeeze=False
)
for axes, capture in zip(rows, captures):
    draw(axes, capture)
rows[1][0].legend(loc="upper right", fontsize=8, framealpha=0.9, ncols=2)
rows[-1][0].set_xlabel("slot", fontsize=8)
rows[-1][1].set_xlabel("how often", fontsize=8)
figure.suptitle("What a watcher of the wire sees of each slot", fontsize=13, x=0.01, ha="left")
for kind in ("svg", "png"):
    figure.savefig(os.path.join(sys.argv[2], f"wire.{kind}"), dpi=110)
