"""What a watcher can tell of slots from packets alone: times, sizes, directions.

    analyse.py INPUT.json    prints one object of JSON

Input: {alpha, seed, captures}, captures as `wire.py` reads them. `alpha` is the chance of a false alarm for one
capture. A random forest learns from the even pairs of scenes and is asked about the odd ones. The order within a pair
was a coin's, so swapping labels within pairs gives exactly what chance gives.
"""
import json
import sys

import numpy as np
from scipy.stats import binom, rankdata
from sklearn.ensemble import RandomForestClassifier

from wire import slots_of

TREES = 200
SWAPS = 30_000
SWAPS_AT_ONCE = 5_000
CURVE = 20
SCORE_BINS = 4
TIMINGS = ("first packet", "upload", "answer")


def watched(capture):
    """Pair, label, features and the three timings (ms) of each watched slot."""
    rows = [(scene["pair"], scene["isEvent"], *look(slot, capture["intervalMs"])) for scene, slot in slots_of(capture)]
    pairs, labels, features, timings = zip(*rows)
    return np.array(pairs), np.array(labels, dtype=bool), np.array(features), np.array(timings)


def look(slot, interval_ms):
    """What one slot shows; -1 and NaN where there was nothing."""
    times, is_up, sizes = slot
    features, timings = [], []
    for way in (is_up, ~is_up):
        data = way & (sizes > 0)
        at, bytes_ = times[data], sizes[data]
        gaps = np.diff(at)
        features += [len(at), bytes_.sum(), (way & (sizes == 0)).sum()]
        features += [at[0], at[-1], at[-1] - at[0]] if len(at) else [-1, -1, -1]
        features += [gaps.mean(), gaps.std(), gaps.max(), np.median(gaps), np.percentile(gaps, 99)] if len(gaps) else [-1] * 5
        features += [bytes_.mean(), bytes_.std(), bytes_.max()] if len(at) else [-1] * 3
        grid = np.linspace(0, interval_ms, CURVE)
        features += list(np.interp(grid, at, np.cumsum(bytes_))) if len(at) else [0] * CURVE
        timings += [at[0], at[-1] - at[0], at[-1]] if len(at) else [np.nan] * 3
    return features, (timings[0], timings[1], timings[5])


def judge(capture, alpha, seed):
    pairs, labels, features, timings = watched(capture)
    learn, ask = pairs % 2 == 0, pairs % 2 == 1
    forest = RandomForestClassifier(TREES, min_samples_leaf=2, random_state=seed, n_jobs=2)
    forest.fit(features[learn], labels[learn])
    scores = forest.predict_proba(features[ask])[:, list(forest.classes_).index(True)]
    bits, chance, chance_bits = by_chance(scores, labels[ask], pairs[ask], np.random.default_rng(seed))
    return {
        "name": capture["name"],
        "slots": len(labels),
        "asked": int(ask.sum()),
        "pairsAsked": len(set(pairs[ask])),
        "auc": area(scores, labels[ask]),
        "aucBound": float(np.quantile(chance, 1 - alpha, method="higher")),
        "miBits": float(bits),
        "miBound": float(np.quantile(chance_bits, 1 - alpha, method="higher")),
        "paired": [
            {"what": name, **paired(timings[:, at], labels, pairs, alpha / len(TIMINGS))} for at, name in enumerate(TIMINGS)
        ],
    }


def area(scores, labels):
    """Area under the ROC curve: the chance that an eventful slot scores above a quiet one."""
    ranks, events = rankdata(scores), labels.sum()
    return float((ranks[labels].sum() - events * (events + 1) / 2) / (events * (len(labels) - events)))


def by_chance(scores, labels, pairs, random):
    """Bits that the scores tell of the labels; then AUC and bits for labels swapped within pairs by coins."""
    _, place = np.unique(pairs, return_inverse=True)
    bins = np.minimum((rankdata(scores, method="ordinal") - 1) * SCORE_BINS // len(scores), SCORE_BINS - 1).astype(int)
    # Of each slot what counts: its rank, itself, and its bin. A swap only moves these sums from one label to the other.
    weights = np.column_stack([rankdata(scores), np.ones(len(scores)), np.eye(SCORE_BINS)[bins]])
    events, quiet = (sums_of(weights[which], place[which], place.max() + 1) for which in (labels, ~labels))
    total = weights.sum(axis=0)
    areas, bits = [], []
    for _ in range(0, SWAPS, SWAPS_AT_ONCE):
        coins = random.integers(0, 2, (SWAPS_AT_ONCE, len(events))).astype(float)
        swapped = events.sum(axis=0) + coins @ (quiet - events)
        ranks, count = swapped[:, 0], swapped[:, 1]
        areas.append((ranks - count * (count + 1) / 2) / (count * (len(scores) - count)))
        bits.append(bits_of(swapped[:, 2:], total[2:]))
    return bits_of(events.sum(axis=0)[None, 2:], total[2:])[0], np.concatenate(areas), np.concatenate(bits)


def sums_of(weights, place, places):
    sums = np.zeros((places, weights.shape[1]))
    np.add.at(sums, place, weights)
    return sums


def bits_of(events, all_):
    """Mutual information (bits, plug-in) of bin and label, for each row of eventful slots by bin."""
    slots, bits = all_.sum(), np.zeros(len(events))
    for counts in (events, all_ - events):
        expected = all_ * counts.sum(axis=1, keepdims=True) / slots
        with np.errstate(divide="ignore", invalid="ignore"):
            bits += np.where(counts > 0, counts / slots * np.log2(counts / expected), 0).sum(axis=1)
    return bits


def paired(values, labels, pairs, alpha):
    """Median over pairs of eventful minus quiet (ms), and its exact interval by the sign test."""
    middle = lambda which: np.nanmedian(values[which]) if np.isfinite(values[which]).any() else np.nan
    differences = np.array([middle((pairs == pair) & labels) - middle((pairs == pair) & ~labels) for pair in np.unique(pairs)])
    differences = np.sort(differences[np.isfinite(differences)])
    count = len(differences)
    outside = int(binom.ppf(alpha / 2, count, 0.5)) if count else 0
    if outside == 0:
        return {"pairs": count, "medianMs": None, "lowMs": None, "highMs": None}
    low, high = differences[outside - 1], differences[count - outside]
    return {"pairs": count, "medianMs": float(np.median(differences)), "lowMs": float(low), "highMs": float(high)}


with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)
found = [judge(capture, asked["alpha"], asked["seed"]) for capture in asked["captures"]]
print(json.dumps({"captures": found}))
