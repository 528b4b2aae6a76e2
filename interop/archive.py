"""Which Parquet files of the archive count: those that the manifests name, and no others.

A file without a manifest is what a crash left behind: its clicks are in another file as well. So
never read raw/ by its folders alone.
"""

import json
from pathlib import Path


def archived_files(root):
    """Paths of the files of all partitions, relative to the archive's root.

    Raises ValueError where a partition's chain of manifests has a hole.
    """
    files = []
    for chain in sorted(Path(root, "manifests").iterdir()):
        end = 0
        for path in sorted(chain.glob("*.json")):
            manifest = json.loads(path.read_text())
            if manifest["first"] != end:
                raise ValueError(f"{chain.name}: no manifest for offsets {end} to {manifest['first']}")
            end = manifest["end"]
            files += [file["path"] for file in manifest["files"]]
    return files
