#!/bin/sh
# Run once by InfluxDB 2's own set-up: the buckets of hours and days beside that of the readings, and who may do what.
# The gateways may write the readings and no more, the cloud reads and writes all three, Grafana only reads them; all
# speak the 1.x API, which every version of InfluxDB shares.
set -eu

influx bucket create --org city --name city_hours --shard-group-duration 52w
influx bucket create --org city --name city_days --shard-group-duration 520w

bucket() {
    influx bucket list --org city --name "$1" --hide-headers | cut -f 1
}
readings=$DOCKER_INFLUXDB_INIT_BUCKET_ID hours=$(bucket city_hours) days=$(bucket city_days)

influx v1 dbrp create --org city --bucket-id "$readings" --db city --rp autogen --default
influx v1 dbrp create --org city --bucket-id "$hours" --db city_hours --rp autogen --default
influx v1 dbrp create --org city --bucket-id "$days" --db city_days --rp autogen --default

influx v1 auth create --org city --username gateway --password "$INFLUXDB_GATEWAY_PASSWORD" --write-bucket "$readings"
influx v1 auth create --org city --username cloud --password "$INFLUXDB_CLOUD_PASSWORD" \
    --read-bucket "$readings" --read-bucket "$hours" --read-bucket "$days" \
    --write-bucket "$readings" --write-bucket "$hours" --write-bucket "$days"
influx v1 auth create --org city --username reader --password "$INFLUXDB_READER_PASSWORD" \
    --read-bucket "$readings" --read-bucket "$hours" --read-bucket "$days"
