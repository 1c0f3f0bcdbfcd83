#!/bin/sh
# Have a broker read the list of revoked certificates whenever that changes: watch-revoked.sh PID LIST
# Ends with the broker. By the content, not by the time: a list may change twice within a second.
set -eu
known=$(cksum <"$2")
while sleep "${MQTT_CRL_LOOK_S:-5}" && kill -0 "$1" 2>/dev/null; do
    found=$(cksum <"$2") || continue
    if [ "$found" != "$known" ]; then
        known=$found
        kill -HUP "$1"
    fi
done
