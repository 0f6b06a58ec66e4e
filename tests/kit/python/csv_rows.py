"""csv_rows.py FOLDER: the rows of an output folder's CSV files, each as a line of JSON, read by Python's csv."""

import sys

from items import data_files, items, written

for path in data_files(sys.argv[1]):
    for row in items(path):
        print(written(row))
