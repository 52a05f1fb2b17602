"""A capture as its slots: what was on the wire while each was open.

A capture is {name, packets, device, intervalMs, gridMs, scenes: [{pair, isEvent, fromMs, toMs}]}; `packets` is a file of
tab-separated time (s since 1970), source address and TCP bytes, `gridMs` when one slot of the device opened.
"""
import numpy as np

# Where a slot's window begins, in intervals before it opens: clocks of watcher and device differ a little.
EARLY = 0.05


def slots_of(capture):
    """Of each slot that opens in a scene: the scene, and times (ms after it opens), whether from the device, TCP bytes."""
    from_device = {1: lambda source: source == capture["device"]}
    packets = np.loadtxt(capture["packets"], delimiter="\t", ndmin=2, converters=from_device, encoding="utf-8")
    times, is_up, sizes = packets[:, 0] * 1000, packets[:, 1] == 1, packets[:, 2].astype(int)
    interval = capture["intervalMs"]
    for scene in capture["scenes"]:
        first, end = (int(np.ceil((scene[edge] - capture["gridMs"]) / interval)) for edge in ("fromMs", "toMs"))
        for number in range(first, end):
            opens = capture["gridMs"] + number * interval
            seen = slice(*np.searchsorted(times, [opens - EARLY * interval, opens + (1 - EARLY) * interval]))
            yield scene, (times[seen] - opens, is_up[seen], sizes[seen])
