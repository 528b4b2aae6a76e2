"""What a notebook does with pydruid: the DB-API, and the SQLAlchemy dialect with its reflection.
Writes one line of JSON; the test says what should be in it."""

import json
import sys
from urllib.parse import quote, urlsplit

from pydruid.db import connect
from sqlalchemy import MetaData, Table, create_engine, func, inspect, select, text

url, key = sys.argv[1:]
host, port = urlsplit(url).hostname, urlsplit(url).port
path = "/druid/v2/sql/"

with connect(host=host, port=port, path=path, scheme="http", user="x", password=key) as cursor:
    cursor.execute(
        "SELECT TIME_FLOOR(__time, 'PT1H') AS h, SUM(click_count) AS clicks"
        " FROM clicks WHERE ad_id LIKE %(ads)s GROUP BY 1 ORDER BY 1",
        {"ads": "mine-%"},
    )
    by_hour = [list(row) for row in cursor]
    described = [column[0] for column in cursor.description]
    try:
        cursor.execute("SELECT * FROM sys.segments")
        refused = None
    except Exception as error:  # pydruid's ProgrammingError
        refused = f"{type(error).__name__}: {error}"

engine = create_engine(f"druid://x:{quote(key)}@{host}:{port}{path}?header=true")
inspector = inspect(engine)
clicks = Table("clicks", MetaData(), autoload_with=engine)
with engine.connect() as connection:
    total = connection.execute(select(func.sum(clicks.c.click_count))).scalar()
    per_ad = connection.execute(
        select(clicks.c.ad_id, func.sum(clicks.c.gross_click_count).label("n"))
        .where(clicks.c.country.in_(["US", "IL"]))
        .group_by(clicks.c.ad_id)
        .order_by(clicks.c.ad_id)
    ).fetchall()
    nothing = connection.execute(text("SELECT ad_id FROM clicks WHERE FALSE")).fetchall()

print(
    json.dumps(
        {
            "by_hour": by_hour,
            "described": described,
            "refused": refused,
            "schemas": inspector.get_schema_names(),
            "tables": inspector.get_table_names(schema="druid"),
            "has_table": inspector.has_table("clicks"),
            "has_other": inspector.has_table("clicks_batch"),
            "columns": {c["name"]: str(c["type"]) for c in inspector.get_columns("clicks")},
            "ping": engine.dialect.do_ping(engine.raw_connection()),
            "total": total,
            "per_ad": [list(row) for row in per_ad],
            "nothing": len(nothing),
        }
    )
)
