"""Every failure names its stage, its cause and what to do; what programs and boards say leads to it."""

from __future__ import annotations

import errno
import string

import pytest
from field_rig import status

from edge.field.diagnosis import TABLE, FieldError, Symptom, diagnose
from edge.field.recognise import of_esptool, of_fall, of_mpremote, of_node, of_port
from edge.field.stages import Stage, exit_code
from edge.model.errors import CityError


def test_every_symptom_has_a_row_with_a_cause_and_something_to_do() -> None:
    assert set(TABLE) == set(Symptom)
    for row in TABLE.values():
        assert row.cause and row.remedies and all(row.remedies)


@pytest.mark.parametrize("symptom", list(Symptom))
def test_a_diagnosis_reads_well_whatever_is_known(symptom: Symptom) -> None:
    row = TABLE[symptom]
    fields = {
        name for text in (row.cause, *row.remedies) for _, name, _, _ in string.Formatter().parse(text) if name
    }
    full = diagnose(symptom, **{name: f"<{name}>" for name in fields})
    assert all(f"<{name}>" in " ".join((full.cause, *full.remedies)) for name in fields)
    bare = diagnose(symptom)
    assert "{" not in bare.message and bare.remedies


def test_an_error_of_the_field_is_one_of_ours_and_its_stage_is_its_exit_code() -> None:
    error = diagnose(Symptom.NO_WIFI, ssid="city-iot")
    assert isinstance(error, CityError)
    assert error.message == "network: no Wi-Fi city-iot in reach of the node"
    assert error.exit_code == exit_code(Stage.NETWORK) == 17
    assert len({exit_code(stage) for stage in Stage}) == len(Stage)


def test_a_loose_cable_is_told_at_the_stage_where_it_came_loose() -> None:
    error = diagnose(Symptom.PORT_GONE, port="/dev/ttyUSB0").at(Stage.FILES)
    assert (error.stage, error.exit_code) == (Stage.FILES, exit_code(Stage.FILES))
    assert error.cause == "/dev/ttyUSB0 is not there (any more)"


@pytest.mark.parametrize(
    ("error", "symptom"),
    [
        (OSError(errno.EACCES, "Permission denied"), Symptom.NO_PERMISSION),
        (OSError(errno.EBUSY, "Device or resource busy"), Symptom.PORT_BUSY),
        (OSError(errno.ENOENT, "No such file or directory"), Symptom.PORT_GONE),
        ("[Errno 11] Could not exclusively lock port /dev/ttyUSB0: ...", Symptom.PORT_BUSY),
        ("could not open port 'COM3': PermissionError(13, 'Access is denied.')", Symptom.NO_PERMISSION),
        ("device reports readiness to read but returned no data (device disconnected?)", Symptom.PORT_GONE),
        ("Cannot configure port, something went wrong", Symptom.PORT_BROKEN),
    ],
)
def test_what_a_port_says(error: OSError | str, symptom: Symptom) -> None:
    assert of_port(error, "/dev/ttyUSB0").symptom is symptom


def test_a_busy_port_names_who_holds_it() -> None:
    error = of_port(OSError(errno.EBUSY, "busy"), "/dev/ttyUSB0", holder="picocom (process 812)")
    assert error.cause == "/dev/ttyUSB0 is in use by picocom (process 812)"


@pytest.mark.parametrize(
    ("said", "writing", "symptom", "stage"),
    [
        (["A fatal error occurred: Failed to connect to ESP32: No serial data received."], False,
         Symptom.CHIP_SILENT, Stage.CHIP),
        (["A fatal error occurred: Failed to connect to ESP32: Wrong boot mode detected (0x13)!"], False,
         Symptom.CHIP_SILENT, Stage.CHIP),
        (["A fatal error occurred: Could not open /dev/ttyUSB0, the port is busy or doesn't exist.",
          "([Errno 13] could not open port /dev/ttyUSB0: [Errno 13] Permission denied: '/dev/ttyUSB0')"], False,
         Symptom.NO_PERMISSION, Stage.PORT),
        (["A fatal error occurred: Could not open /dev/ttyUSB0, the port is busy or doesn't exist.",
          "([Errno 11] Could not exclusively lock port /dev/ttyUSB0: [Errno 11] Resource unavailable)"], False,
         Symptom.PORT_BUSY, Stage.PORT),
        (["A fatal error occurred: MD5 of file does not match data in flash!"], True,
         Symptom.FLASH_DIFFERS, Stage.FLASH),
        (["No more data to read from the serial port."], True, Symptom.PORT_GONE, Stage.FLASH),
        (["Writing at 0x1000", "A fatal error occurred: Packet content transfer stopped"], True,
         Symptom.FLASH_BROKE_OFF, Stage.FLASH),
    ],
)  # fmt: skip
def test_what_esptool_says(said: list[str], writing: bool, symptom: Symptom, stage: Stage) -> None:
    error = of_esptool(said, "/dev/ttyUSB0", writing=writing)
    assert (error.symptom, error.stage) == (symptom, stage)


@pytest.mark.parametrize(
    ("said", "symptom"),
    [
        (["mpremote: failed to access /dev/ttyUSB0 (it may be in use by another program)"], Symptom.PORT_BUSY),
        (["could not enter raw repl"], Symptom.NO_REPL),
        (["OSError: [Errno 28] ENOSPC"], Symptom.BOARD_FULL),
        (["something else"], Symptom.COPY_BROKE_OFF),
        ([], Symptom.COPY_BROKE_OFF),
    ],
)
def test_what_mpremote_says(said: list[str], symptom: Symptom) -> None:
    assert of_mpremote(said, "/dev/ttyUSB0").symptom is symptom


@pytest.mark.parametrize(
    ("stage", "text", "symptom"),
    [
        ("network", "no Wi-Fi 'city-iot' (status 201)", Symptom.NO_WIFI),
        ("network", "no Wi-Fi 'city-iot' (status 202)", Symptom.BAD_PASSWORD),
        ("network", "no Wi-Fi 'city-iot' (status 15)", Symptom.BAD_PASSWORD),
        ("network", "no Wi-Fi 'city-iot' (status -3)", Symptom.BAD_PASSWORD),
        ("network", "no Wi-Fi 'city-iot' (status -2)", Symptom.NO_WIFI),
        ("network", "the access point gives no address", Symptom.NO_ADDRESS),
        ("clock", "no answer from ntp.city", Symptom.NO_TIME),
        ("broker", "cannot reach broker.city:8883: (-2, 'MBEDTLS_ERR_NET_UNKNOWN_HOST')", Symptom.DNS),
        ("broker", "cannot reach broker.city:8883: -202", Symptom.DNS),
        ("broker", "cannot reach 10.0.0.1:8883: [Errno 111] ECONNREFUSED", Symptom.BROKER_AWAY),
        ("broker", "no answer from 10.0.0.1:8883", Symptom.BROKER_AWAY),
        ("broker", "no TLS: The certificate validity starts in the future", Symptom.TLS_DATE),
        ("broker", "no TLS: MBEDTLS_X509_BADCERT_EXPIRED", Symptom.TLS_DATE),
        ("broker", "no TLS: The certificate is not correctly signed by the trusted CA", Symptom.TLS_AUTHORITY),
        (
            "broker",
            "cannot reach b:8883: (-9984, 'MBEDTLS_ERR_X509_CERT_VERIFY_FAILED')",
            Symptom.TLS_AUTHORITY,
        ),
        ("broker", "cannot reach broker.city:8883: [addrinfo error -2]", Symptom.DNS),
        (
            "broker",
            "no TLS: SSL - A fatal alert message was received from our peer",
            Symptom.CERTIFICATE_REFUSED,
        ),
        ("broker", "cannot reach 10.0.0.1:8883: -30592", Symptom.CERTIFICATE_REFUSED),
        ("broker", "cannot reach 10.0.0.1:8883: -9984", Symptom.TLS_AUTHORITY),
        ("broker", "the broker refuses: not authorised", Symptom.LOGIN_REFUSED),
        ("broker", "10.0.0.1:8883 hung up", Symptom.BROKER_HANGS_UP),
        ("birth", "the broker refuses a subscription", Symptom.ACCESS_LIST),
        ("sample", "jsn_sr04t: no answer", Symptom.SENSOR_SILENT),
    ],
)
def test_what_a_node_says(stage: str, text: str, symptom: Symptom) -> None:
    error = of_node(status(errors=[{"stage": stage, "text": text, "remedy": "r"}]), Stage(stage))
    assert error is not None and error.symptom is symptom


@pytest.mark.parametrize(
    ("heard", "cause", "remedy"),
    [
        (["the node cannot go on: jsn_sr04t needs datum_mm", "  remedy: give the height"],
         "the node cannot start: jsn_sr04t needs datum_mm", "give the height"),
        (["safe mode after 3 failed starts: /settings.json is missing"],
         "the node cannot start: /settings.json is missing", "run the same command again"),
        (["Traceback (most recent call last):", '  File "main.py", line 20', "ImportError: no module named 'x'",
          "the firmware cannot start; restart in 30 s, Ctrl-C stops it"],
         "the node cannot start: ImportError: no module named 'x'", "write everything anew"),
    ],
)  # fmt: skip
def test_what_a_node_says_that_does_not_start(heard: list[str], cause: str, remedy: str) -> None:
    error = of_fall(heard)
    assert error is not None and error.cause == cause and error.remedies[0].startswith(remedy)
    assert of_fall(["joined city-iot"]) is None


def test_words_that_nobody_knows_are_told_as_they_are_with_the_nodes_own_remedy() -> None:
    error = of_node(
        status(errors=[{"stage": "broker", "text": "flux lost", "remedy": "add flux"}]), Stage.BROKER
    )
    assert isinstance(error, FieldError)
    assert (error.cause, error.remedies[0]) == ("the node says: flux lost", "add flux")


def test_an_error_of_another_stage_is_not_this_ones_cause() -> None:
    assert of_node(status(errors=[{"stage": "network", "text": "no Wi-Fi"}]), Stage.BROKER) is None
