"""Runs SQL over Parquet on Apache Spark, two cores of this machine: a list of tasks in one session.

usage: run.py TASKS.json

A task: {"views": {name: {"base": folder of the hive partitions, "files": [path, ..]} or {"sql": text}},
         "sql": text, "output": path}.
Its views are made in their order. What the query yields is written to `output` as one line of
{"types": {column: type}, "seconds": time} and a line for each row; with "format": "parquet", as
Parquet into that folder, and the first line alone into folder + ".json".
"""

import json
import sys
import time

from pyspark.sql import SparkSession


def open_session():
    return (
        SparkSession.builder.master("local[2]")
        .appName("clickledger-interop")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.memory", "2g")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )


def make_view(spark, name, view):
    if "sql" in view:
        frame = spark.sql(view["sql"])
    else:
        frame = spark.read.option("basePath", view["base"]).parquet(*view["files"])
    frame.createOrReplaceTempView(name)


def perform(spark, task):
    for name, view in task["views"].items():
        make_view(spark, name, view)
    begun = time.monotonic()
    frame = spark.sql(task["sql"])
    types = {field.name: field.dataType.simpleString() for field in frame.schema}
    is_parquet = task.get("format") == "parquet"
    rows = []
    if is_parquet:
        frame.write.parquet(task["output"])
    else:
        rows = frame.toJSON().collect()
    head = json.dumps({"types": types, "seconds": time.monotonic() - begun})
    with open(task["output"] + (".json" if is_parquet else ""), "w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in [head, *rows])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        tasks = json.load(file)
    spark = open_session()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        for task in tasks:
            perform(spark, task)
    finally:
        spark.stop()


main()
