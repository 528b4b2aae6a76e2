"""Stages the tasks of a rebuild plan on Apache Spark: spark-submit driver.py PLAN.json

Knows no rule: all SQL comes with the plan (spark-plan.ts). Prints a line "clickledger {json}" for each task
that is staged, {"task": number, "hours": [..]}, and at the end {"done": true} or {"error": text}.
Spark names its files itself, so each task is written to a scratch folder and moved when it is whole.
"""

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

HOUR_MS = 3_600_000
# The hour as a folder's name, while it is in scratch; no column of the output is called so.
HOUR = "staged_hour"
PARENT_EVERY_S = 1
ERROR_CHARS_MAX = 4_000
S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"


def say(message):
    print("clickledger " + json.dumps(message), flush=True)


def end_with(parent):
    """Nobody else would end a Spark whose planner was killed, and both would stage the same hours."""
    while True:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)
        time.sleep(PARENT_EVERY_S)


def need_s3a(spark):
    jvm = spark.sparkContext._jvm
    try:
        spark.sparkContext._jsc.hadoopConfiguration().getClassByName(S3A)
    except Exception:
        version = jvm.org.apache.hadoop.util.VersionInfo.getVersion()
        raise RuntimeError(
            "this Spark cannot read S3. Add "
            f"spark.jars.packages=org.apache.hadoop:hadoop-aws:{version} to CLICKLEDGER_SPARK_CONF "
            "(fetched from Maven Central once), or put that jar and its dependencies into Spark's jars folder"
        ) from None


class Files:
    """The file system of a folder, as Hadoop has it."""

    def __init__(self, spark, root):
        self._jvm = spark.sparkContext._jvm
        self._conf = spark.sparkContext._jsc.hadoopConfiguration()
        self._path = self._jvm.org.apache.hadoop.fs.Path
        self._fs = self._path(root).getFileSystem(self._conf)

    def parts(self, folder):
        path = self._path(folder)
        if not self._fs.exists(path):
            return []
        found = [status.getPath().toString() for status in self._fs.listStatus(path)]
        return sorted(path for path in found if path.rsplit("/", 1)[1].startswith("part-"))

    def copy(self, source, target):
        hadoop = self._jvm.org.apache.hadoop.fs
        paths = self._path(source), self._path(target)
        hadoop.FileUtil.copy(self._fs, paths[0], self._fs, paths[1], False, self._conf)
        return target

    def move(self, source, target):
        target = self._path(target)
        self._fs.mkdirs(target.getParent())
        self._fs.delete(target, False)  # of an attempt that died here: the same rows
        if not self._fs.rename(self._path(source), target):
            raise RuntimeError(f"{source} could not be renamed to {target.toString()}")

    def remove(self, folder):
        self._fs.delete(self._path(folder), True)


def make_clicks(session, plan, files):
    # Settings of the cluster must not make it skip what it cannot read: clicks would be lost silently.
    raw = (
        session.read.schema(plan["schema"])
        .option("ignoreMissingFiles", "false")
        .option("ignoreCorruptFiles", "false")
        .parquet(*files)
    )
    raw.createOrReplaceTempView("raw_files")
    session.sql(plan["clicks"]).createOrReplaceTempView("clicks")


def none_if_empty(frame):
    """DuckDB's list of no members is null."""
    lists = [f.name for f in frame.schema if f.dataType.typeName() == "array"]
    return frame.withColumns({name: F.when(F.size(name) > 0, F.col(name)) for name in lists})


def by_hour(frame, time_column):
    time_of = F.col(time_column)
    return frame.withColumn(HOUR, time_of - time_of % F.lit(HOUR_MS))


def write(session, files, frame, folder, hours):
    """Writes a folder for each hour; an hour without rows gets an empty file. @returns the files by hour"""
    frame.write.mode("overwrite").partitionBy(HOUR).parquet(folder)
    parts = {hour: files.parts(f"{folder}/{HOUR}={hour}") for hour in hours}
    without = [hour for hour, found in parts.items() if not found]
    if without:
        nothing = session.createDataFrame([], frame.drop(HOUR).schema)
        nothing.coalesce(1).write.mode("overwrite").parquet(f"{folder}-empty")
        [empty] = files.parts(f"{folder}-empty")
        for hour in without:
            parts[hour] = [files.copy(empty, f"{folder}-empty/{hour}.parquet")]
    return parts


def counts(session, frame, folder, columns):
    """Sums by hour, of what was written rather than of what was meant to be."""
    read_back = session.read.schema(frame.schema).parquet(folder)
    sums = [F.sum(F.expr(sql)).alias(name) for name, sql in columns.items()]
    return {row[HOUR]: row.asDict() for row in read_back.groupBy(HOUR).agg(*sums).collect()}


def caught(session, frame, folder):
    """Clicks by hour and the rule that caught them; a copy's is called so."""
    read_back = session.read.schema(frame.schema).parquet(folder)
    found = {}
    for row in read_back.groupBy(HOUR, "rule").agg(F.count("*").alias("clicks")).collect():
        found.setdefault(row[HOUR], {})[row["rule"]] = row["clicks"]
    return found


def stage(spark, plan, task):
    session = spark.newSession()  # views of its own
    files = Files(spark, task["scratch"])
    hours = [hour["hour"] for hour in task["hours"]]
    make_clicks(session, plan, task["files"])
    kept = []
    try:
        for step in task["steps"]:  # kept, because Spark would compute each again wherever it is named
            frame = session.sql(step["sql"]).persist()
            frame.createOrReplaceTempView(step["name"])
            kept.append(frame)
        aggregates = by_hour(none_if_empty(session.sql(task["aggregates"])), "minute")
        # Few files for an hour, but more than one where it is big.
        aggregates = aggregates.hint("rebalance", F.col(HOUR))
        verdicts = by_hour(session.sql(task["verdicts"]), "event_time")
        verdicts = verdicts.repartition(HOUR).sortWithinPartitions(HOUR, *plan["order"])
        at = {name: f"{task['scratch']}/{name}" for name in ("aggregates", "verdicts")}
        aggregate_parts = write(session, files, aggregates, at["aggregates"], hours)
        verdict_parts = write(session, files, verdicts, at["verdicts"], hours)
    finally:
        for frame in kept:
            frame.unpersist()
    counted = counts(session, aggregates, at["aggregates"], plan["counts"])
    rules = caught(session, verdicts, at["verdicts"])
    staged = move(files, task, aggregate_parts, verdict_parts)
    files.remove(task["scratch"])
    nothing = dict.fromkeys(plan["counts"], 0)
    return [
        {
            **nothing,
            **{name: count for name, count in counted.get(hour, {}).items() if name in nothing},
            "copies": rules.get(hour, {}).pop("copy", 0),
            "rules": rules.get(hour, {}),
            "hour": hour,
            "files": names,
        }
        for hour, names in staged.items()
    ]


def move(files, task, aggregates, verdicts):
    staged = {}
    for hour in task["hours"]:
        [only] = verdicts[hour["hour"]]
        files.move(only, f"{hour['target']}/verdicts.parquet")
        staged[hour["hour"]] = []
        for number, part in enumerate(aggregates[hour["hour"]]):
            name = f"aggregates-{task['attempt']}-{number}.parquet"
            files.move(part, f"{hour['target']}/{name}")
            staged[hour["hour"]].append(name)
    return staged


def run(spark, plan):
    if plan["tasks"][0]["files"][0].startswith("s3a:"):
        need_s3a(spark)
    with ThreadPoolExecutor(max_workers=plan["atOnce"]) as pool:
        staging = {pool.submit(stage, spark, plan, task): task for task in plan["tasks"]}
        try:
            for future in as_completed(staging):
                say({"task": staging[future]["number"], "hours": future.result()})
        except Exception:
            pool.shutdown(wait=False, cancel_futures=True)
            spark.sparkContext.cancelAllJobs()
            raise


def main(path):
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    threading.Thread(target=end_with, args=[plan["parent"]], daemon=True).start()
    spark = SparkSession.builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    try:
        run(spark, plan)
    except Exception as error:  # whatever it is, whoever asked is to know
        say({"error": f"{type(error).__name__}: {error}"[:ERROR_CHARS_MAX]})
        spark.stop()
        os._exit(1)
    say({"done": True})
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
