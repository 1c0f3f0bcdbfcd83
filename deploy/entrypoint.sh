#!/bin/sh
# Start the command in its container. Each secret goes from the environment into a file that only this user
# can read, on a file system in memory, and is then gone from the environment.
set -eu
umask 077
folder=${CITY_SECRETS_DIR:-/run/cityneuron}
for name in MQTT_PASSWORD STORE_PASSWORD CITY_TOKEN; do
    eval "value=\${$name:-}"
    if [ -n "$value" ]; then
        printf '%s\n' "$value" >"$folder/$(echo "$name" | tr 'A-Z_' 'a-z-')"
        unset "$name"
    fi
done
exec cityneuron "$@"
