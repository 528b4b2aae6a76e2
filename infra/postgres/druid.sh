#!/bin/sh
# Runs once, when PostgreSQL's volume is new: Druid's metadata gets a database and a role of its own.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$DRUID_DB_PASSWORD" \
  --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
CREATE ROLE druid LOGIN PASSWORD :'password';
CREATE DATABASE druid OWNER druid ENCODING 'UTF8' TEMPLATE template0;
SQL
