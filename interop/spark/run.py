"""Runs SQL over Parquet on Apache Spark, two cores of this machine, task by task in one session.

Reads tasks from stdin, one line of JSON each, and answers each with a line: "done", or what went wrong.
A task: {"views": {name: {"base": folder of the hive partitions, "files": [path, ..]}
                         or {"sql": text, "keep": whether to compute it once}},
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
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )


def make_view(spark, name, view):
    if "sql" in view:
        frame = spark.sql(view["sql"])
        if view.get("keep"):
            frame.cache()
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
    spark.catalog.clearCache()


def main():
    spark = open_session()
    spark.sparkContext.setLogLevel("ERROR")
    for line in sys.stdin:
        try:
            perform(spark, json.loads(line))
            print("done")
        except Exception as error:  # whatever it is, whoever asked is to know
            print(json.dumps(str(error)[:2000]))
    spark.stop()


main()
