"""Reads Parquet with pyarrow, hive partitions included, and prints types and rows as lines of JSON.

usage: read_parquet.py ROOT             the archive: the files that its manifests name
       read_parquet.py ROOT FILE..      these files, relative to ROOT

The first line is {"types": {column: type}}, each further one a row.
"""

import json
import sys
from pathlib import Path

import pyarrow.dataset as ds

from archive import archived_files


def main():
    root, *files = sys.argv[1:]
    # The partition folders' names are relative to where the dataset begins.
    dataset = ds.dataset(
        [str(Path(root, file)) for file in files or archived_files(root)],
        format="parquet",
        partitioning=ds.partitioning(flavor="hive"),
    )
    print(json.dumps({"types": {field.name: str(field.type) for field in dataset.schema}}))
    for row in dataset.to_table().to_pylist():
        print(json.dumps(row))


main()
