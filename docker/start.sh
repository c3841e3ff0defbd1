#!/usr/bin/env bash
# A whole cluster in containers with one command: makes the secrets with the first call, builds the image, starts
# everything, and prints how to use it. Words after the command go to `docker compose up`.
#
#     docker/start.sh
#     docker compose -f docker/compose.yaml down [--volumes]
#
# CARILLON_COMPOSE names another command than `docker compose`, such as `podman-compose`.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
secrets=$here/secrets
read -r -a compose <<<"${CARILLON_COMPOSE:-docker compose}"
compose+=(-f "$here/compose.yaml")

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# Only this user enters the folder. The files themselves are readable, since in the containers they belong to others.
make_secrets() {
    (umask 077 && mkdir -p "$secrets")
    local name
    for name in postgres-password owner-password node-password cluster-secret; do
        [ -s "$secrets/$name" ] || random >"$secrets/$name"
    done
    printf 'database-url = postgresql://carillon_owner:%s@database/carillon\n' "$(cat "$secrets/owner-password")" \
        >"$secrets/owner.conf"
    printf 'database-url = postgresql://carillon:%s@database/carillon\n' "$(cat "$secrets/node-password")" \
        >"$secrets/node.conf"
    chmod 644 "$secrets"/*
}

make_secrets
if [ "${1:-}" = --only-secrets ]; then exit 0; fi

"${compose[@]}" up --build --detach "$@"
if [ ! -s "$secrets/admin.key" ]; then
    # With the node's rights: a key is a row.
    key=$("${compose[@]}" run --rm --no-deps -T node-1 \
        key create --title "docker/start.sh" --privilege admin)
    (umask 077 && printf '%s\n' "$key" >"$secrets/admin.key")
fi

cat <<MESSAGE

Carillon runs at http://localhost:8080, whichever node leads.
The administrator's key is in $secrets/admin.key:

  curl -H "X-API-Key: \$(cat $secrets/admin.key)" http://localhost:8080/v1/scheduler/jobs
MESSAGE
