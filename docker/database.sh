#!/bin/sh
# Executed once by the image of PostgreSQL, when it has made its data folder.
set -eu
CARILLON_OWNER_PASSWORD=$(cat /run/secrets/owner-password)
CARILLON_NODE_PASSWORD=$(cat /run/secrets/node-password)
export CARILLON_OWNER_PASSWORD CARILLON_NODE_PASSWORD
exec psql --username postgres --dbname postgres --no-psqlrc --file /carillon/postgresql.sql
