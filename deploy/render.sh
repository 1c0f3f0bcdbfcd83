#!/bin/sh
# Fill in the ${NAMES} of a configuration from the environment: render.sh TEMPLATE > FILE
# A name that is not set is an error, not an empty text.
set -eu
exec awk '{
    line = ""
    while (match($0, /\$\{[A-Z0-9_]+\}/)) {
        name = substr($0, RSTART + 2, RLENGTH - 3)
        if (!(name in ENVIRON)) { print "render.sh: " name " is not set" > "/dev/stderr"; exit 1 }
        line = line substr($0, 1, RSTART - 1) ENVIRON[name]
        $0 = substr($0, RSTART + RLENGTH)
    }
    print line $0
}' "$1"
