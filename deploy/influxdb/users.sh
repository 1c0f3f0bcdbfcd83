#!/bin/sh
# Run once by InfluxDB 2's own set-up. The gateways may write the bucket and no more, Grafana and the cloud may
# only read it; all speak the 1.x API, which every version of InfluxDB shares.
set -eu
influx v1 dbrp create --org city --bucket-id "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --db city --rp autogen --default
influx v1 auth create --org city --username gateway --password "$INFLUXDB_GATEWAY_PASSWORD" \
    --write-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID"
influx v1 auth create --org city --username reader --password "$INFLUXDB_READER_PASSWORD" \
    --read-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID"
