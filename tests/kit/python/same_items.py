"""same_items.py [--lines] FOLDER OTHER [FOLDER OTHER…]: do both output folders of each pair hold the same items?

With --lines: the same lines, once they are decompressed. Prints how many were compared in all.
"""

import collections
import sys

from items import data_files, items, lines, uncompressed, written


def contents(folder, as_lines):
    if as_lines:
        return collections.Counter(line for path in data_files(folder) for line in lines(uncompressed(path), path))
    return collections.Counter(written(item) for path in data_files(folder) for item in items(path))


def main(folders):
    as_lines = folders[0] == "--lines"
    folders = folders[as_lines:]
    compared, different = 0, []
    for folder, other in zip(folders[::2], folders[1::2], strict=True):
        try:
            ours, theirs = contents(folder, as_lines), contents(other, as_lines)
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
