"""same_items.py FOLDER OTHER [FOLDER OTHER…]: do both output folders of each pair hold the same items?

Prints how many items were compared in all.
"""

import collections
import sys

from items import data_files, items, written


def contents(folder):
    return collections.Counter(written(item) for path in data_files(folder) for item in items(path))


def main(folders):
    compared, different = 0, []
    for folder, other in zip(folders[::2], folders[1::2], strict=True):
        try:
            ours, theirs = contents(folder), contents(other)
        except Exception as error:  # what any reader may say of a bad file is a finding
            different.append(f"{folder} and {other}: {type(error).__name__}: {error}")
            continue
        compared += sum(ours.values())
        for item in list((ours - theirs) + (theirs - ours))[:4]:
            side = folder if item in ours else other
            different.append(f"only in {side}: {item[:400]}")
    if different:
        sys.exit("\n".join(different[:40]))
    print(compared)


main(sys.argv[1:])
