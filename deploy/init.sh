#!/bin/sh
# Make deploy/.env with random secrets that only you can read. Run it again after an update: it adds what is
# new and changes nothing that is there.
set -eu
umask 077
env_file=$(dirname "$0")/.env
touch "$env_file"
chmod 600 "$env_file"
for name in MQTT_GATEWAY_PASSWORD INFLUXDB_ADMIN_PASSWORD INFLUXDB_ADMIN_TOKEN INFLUXDB_GATEWAY_PASSWORD \
    INFLUXDB_CLOUD_PASSWORD INFLUXDB_READER_PASSWORD GRAFANA_ADMIN_PASSWORD CITY_TOKEN; do
    if ! grep -q "^$name=" "$env_file"; then
        echo "$name=$(od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n')" >>"$env_file"
        echo "made $name"
    fi
done
echo "secrets: $env_file"
