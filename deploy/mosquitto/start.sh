#!/bin/sh
# Start the broker in its container: fill in the configuration, see to the gateways' account, run. The TLS listener is
# there when its files are.
# Accounts live beside the data and survive updates; a node gets one with deploy/node-account.sh.
set -eu
umask 077
here=$(dirname "$0")
export MQTT_PASSWORD_FILE="$MQTT_DATA_DIR/passwords"
export MQTT_ACL_FILE="$MQTT_DATA_DIR/acl.conf"
touch "$MQTT_PASSWORD_FILE"
mosquitto_passwd -b "$MQTT_PASSWORD_FILE" gateway_account "$MQTT_GATEWAY_PASSWORD"
cp "$here/acl.conf" "$MQTT_ACL_FILE"
sh "$here/../render.sh" "$here/mosquitto.conf" >"$MQTT_DATA_DIR/mosquitto.conf"
if [ -r "$MQTT_TLS_DIR/server.key" ] && [ -r "$MQTT_CRL_FILE" ]; then
    sh "$here/../render.sh" "$here/tls.conf" >>"$MQTT_DATA_DIR/mosquitto.conf"
    sh "$here/watch-revoked.sh" $$ "$MQTT_CRL_FILE" & # the broker takes this shell's place and number
fi
exec mosquitto -c "$MQTT_DATA_DIR/mosquitto.conf"
