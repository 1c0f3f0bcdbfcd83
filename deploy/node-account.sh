#!/bin/sh
# Give a node an account at the broker (or a new password): deploy/node-account.sh NODE
# Prints the password once; the broker keeps only its hash.
set -eu
node=${1:-}
if ! printf '%s\n' "$node" | grep -Eqx '[a-z][a-z0-9-]{2,31}'; then
    echo "usage: $0 NODE   (3 to 32 of a-z, 0-9 and '-', beginning with a letter)" >&2
    exit 1
fi
cd "$(dirname "$0")"
password=$(od -An -v -tx1 -N16 /dev/urandom | tr -d ' \n')
docker compose exec -T mosquitto mosquitto_passwd -b /mosquitto/data/passwords "$node" "$password"
docker compose kill --signal HUP mosquitto >/dev/null
echo "user $node"
echo "password $password"
