"""From a bare board to a reading in the store, and what is told when a stage fails; run again, it goes on."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from field_rig import BOARD, SERIAL, CloudStandIn, Workplace, offline_bundle, status

from edge.field.board import Handling
from edge.field.cloud import CloudApi
from edge.field.diagnosis import FieldError, Symptom, diagnose
from edge.field.offline import OfflineBundle
from edge.field.order import Order, parse_sensor
from edge.field.provision import Job, Provision, Success, fitted, fitted_in
from edge.field.stages import Course, Stage, State

NODE = "cn-a1b2c4"
ORDER = Order(kind="water_level", sensors=(parse_sensor("jsn_sr04t:uart1:datum_mm=5200"),))


def stored(cloud: CloudStandIn, **changes: Any) -> None:
    """Let the cloud's store hold a reading of the node."""
    row = {
        "node": NODE,
        "time_ms": time.time_ns() // 1_000_000 + 60_000,
        "values": {"level_m": 2.143},
        "qc": {},
    }
    cloud.latest[NODE] = row | changes


async def run(place: Workplace, cloud: CloudApi | None, **changes: Any) -> tuple[Success, Course]:
    bundle = changes.pop("bundle", None)
    handling = Handling(**changes.pop("handling", {}))
    job = Job(order=changes.pop("order", ORDER), handling=handling, who="wang", wifi_ssid="city-iot", **changes)
    course = Course(tuple(Stage), place.clock)
    place.course = course  # type: ignore[attr-defined]
    return await Provision(job, place.tools, course, cloud, bundle).run(), course


async def fails(
    place: Workplace, cloud: CloudApi | None, symptom: Symptom, stage: Stage, **changes: Any
) -> FieldError:
    with pytest.raises(FieldError) as caught:
        await run(place, cloud, **changes)
    assert (caught.value.symptom, caught.value.stage) == (symptom, stage)
    return caught.value


async def test_a_bare_board_becomes_a_node_whose_reading_is_stored(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    stored(cloud)
    place.console.statuses = [None, status()]  # a bare board says nothing; then it is a node
    done, course = await run(place, api)
    assert (done.node, done.serial, done.values, done.stored) == (NODE, SERIAL, "level_m 2.143", True)
    assert all(step.state in (State.DONE, State.KEPT) for step in course.steps.values())
    (first, image), (second, files) = place.chip.written
    assert (first, second) == (0x1000, 0x200000) and image[0] == 0xE9
    settings = json.loads(files.rstrip(b"\xff"))
    assert settings["node"] == NODE and settings["broker_host"] == "broker.city"
    assert settings["wifi_ssid"] == "city-iot" and settings["sensors"] == [dict(ORDER.sensors[0])]
    assert len(files) % 4096 == 0 and len(files) < 0x200000, "the empty end of the file system is not written"
    assert not list((place.folder / "state").rglob("*.pem")), "the key is on the board, and nowhere else"
    assert place.console.open == 0, "the port is let go"


async def test_a_board_that_runs_micropython_is_filled_over_its_prompt_and_keeps_its_readings(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    stored(cloud)
    began_ms = place.tools.now_ms()
    done, course = await run(place, api)
    assert done.node == NODE and course.steps[Stage.FLASH].state is State.KEPT
    assert place.chip.written == [] and place.files.resets == 1
    assert {"settings.json", "node.key", "node.crt", "ca.crt", "main.py"} <= set(place.files.files)
    assert int(place.files.files["data/time"]) >= began_ms, "its clock begins where it was made"


async def test_after_a_failure_the_same_command_goes_on_with_the_same_node(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    place.console.statuses = [None, status()]
    place.chip.error = diagnose(Symptom.FLASH_BROKE_OFF, said="Timed out")
    await fails(place, api, Symptom.FLASH_BROKE_OFF, Stage.FLASH)
    place.console.statuses = [None, status(stage="broker", broker="down", acknowledged=0, errors=[
        {"stage": "broker", "text": "cannot reach broker.city:8883: ECONNREFUSED", "remedy": ""}])]  # fmt: skip
    error = await fails(place, api, Symptom.BROKER_AWAY, Stage.BROKER)
    assert "8883" in error.remedies[1]
    stored(cloud)
    place.console.statuses = [None, status()]
    done, _ = await run(place, api)
    assert done.node == NODE
    assert {body["serial"] for path, body in cloud.log if path.endswith("provision")} == {SERIAL}
    csrs = {body["csr"][60:200] for path, body in cloud.log if path.endswith("provision")}
    assert len(csrs) == 1, "the same key until the board has it"


async def test_a_cloud_that_is_away_is_told_before_anything_is_flashed(place: Workplace) -> None:
    async with CloudApi("http://127.0.0.1:9", "") as away:
        await fails(place, away, Symptom.CLOUD_AWAY, Stage.REGISTER)
    assert place.chip.written == []


async def test_an_id_that_another_board_has_leads_to_replace(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    cloud.serials["ffffffffffff"] = "stage-1"
    order = Order(kind="water_level", id="stage-1", sensors=ORDER.sensors)
    place.console.statuses = [None]
    error = await fails(
        place, api, Symptom.ID_TAKEN, Stage.REGISTER, order=order, handling={"port": "/dev/ttyUSB0"}
    )
    assert error.remedies[0].endswith("cityneuron node replace stage-1")


async def test_what_the_cloud_advises_about_a_board_is_told(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    cloud.barred = f"if it was repaired: cityneuron cloud ca admit {SERIAL}"
    place.console.statuses = [None]
    error = await fails(place, api, Symptom.ID_TAKEN, Stage.REGISTER)
    assert error.remedies[0] == cloud.barred


async def test_a_new_board_takes_an_old_ones_place(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    cloud.nodes["stage-1"] = {"id": "stage-1", "kind": "water_level"}
    cloud.serials["ffffffffffff"] = "stage-1"
    cloud.latest["stage-1"] = {"time_ms": time.time_ns() // 1_000_000 + 60_000, "qc": {}}
    place.console.statuses = [None, status(node="stage-1")]
    order = Order(kind="water_level", id="stage-1", sensors=ORDER.sensors)
    done, course = await run(place, api, order=order, replaces="stage-1")
    assert done.node == "stage-1" and cloud.serials == {SERIAL: "stage-1"}
    assert course.steps[Stage.REGISTER].detail == "stage-1, instead of ffffffffffff"


async def test_how_a_node_is_fitted_is_kept_for_whoever_replaces_it(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    stored(cloud)
    await run(place, api)
    assert fitted_in(cloud.notes[NODE])[0] == ["jsn_sr04t:uart1:datum_mm=5200"]
    assert fitted(ORDER) == "fitted: jsn_sr04t:uart1:datum_mm=5200"
    newest = [
        {"time_ms": 1, "text": "fitted: a:b"},
        {"time_ms": 9, "text": "wet"},
        {"time_ms": 5, "text": "fitted: c:d"},
    ]
    assert fitted_in(newest) == (["c:d"], None) and fitted_in([]) == ([], None)


async def test_without_a_link_a_pre_made_identity_serves_and_the_gateway_is_enough(
    place: Workplace, tmp_path: Path
) -> None:
    bundle = OfflineBundle(offline_bundle(tmp_path / "spare.zip"))
    place.console.statuses = [None, status(node="spare-0")]
    done, _ = await run(place, None, bundle=bundle)
    assert (done.node, done.stored) == ("spare-0", False)
    assert [row.synced for row in bundle.taken().values()] == [False]


@pytest.mark.parametrize(
    ("changes", "symptom", "stage"),
    [
        ({"net": "joining", "stage": "network", "broker": "down", "acknowledged": 0,
          "errors": [{"stage": "network", "text": "no Wi-Fi 'city-iot' (status 202)"}]},
         Symptom.BAD_PASSWORD, Stage.NETWORK),
        ({"clock": "unknown", "stage": "clock", "broker": "down", "acknowledged": 0},
         Symptom.NO_TIME, Stage.CLOCK),
        ({"stage": "broker", "broker": "down", "acknowledged": 0,
          "errors": [{"stage": "broker", "text": "no TLS: The certificate validity starts in the future"}]},
         Symptom.TLS_DATE, Stage.BROKER),
        ({"stage": "sample", "acknowledged": 0, "sensors": [
            {"name": "jsn_sr04t", "ok": False, "error": "no echo", "values": {}}]},
         Symptom.SENSOR_SILENT, Stage.SAMPLE),
        ({"stage": "sample", "acknowledged": 0}, Symptom.GATEWAY_SILENT, Stage.STORED),
    ],
)  # fmt: skip
async def test_a_node_that_stands_still_is_told_by_its_stage(
    place: Workplace, api: CloudApi, changes: dict[str, Any], symptom: Symptom, stage: Stage
) -> None:
    place.console.statuses = [None, status(**changes)]
    await fails(place, api, symptom, stage)
    assert place.console.open == 0


async def test_a_gateway_that_is_well_and_hears_nothing_means_the_access_list(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    place.console.statuses = [None, status(stage="sample", acknowledged=0, boot=10_007)]
    cloud.gateways = [{"gateway": "gw-01", "state": "silent"}]
    await fails(place, api, Symptom.GATEWAY_SILENT, Stage.STORED)
    cloud.gateways.append({"gateway": "gw-02", "state": "ok"})
    error = await fails(place, api, Symptom.ACCESS_LIST, Stage.STORED)
    assert NODE in error.cause and "acl.conf" in error.remedies[0]
    cloud.device = {"gateway": "gw-01", "boot": 10_006}
    await fails(place, api, Symptom.GATEWAY_SILENT, Stage.STORED)  # its own gateway is away
    cloud.device = {"gateway": "gw-02", "boot": 10_007}
    await fails(place, api, Symptom.GATEWAY_SILENT, Stage.STORED)  # its gateway heard the birth


async def test_a_node_that_never_speaks_is_mute_and_one_that_says_why_has_fallen(
    place: Workplace, api: CloudApi
) -> None:
    place.console.statuses = [None]
    await fails(place, api, Symptom.NODE_MUTE, Stage.REBOOT)
    place.console.heard = ["the node cannot start: jsn_sr04t needs datum_mm", "  remedy: give the height"]
    error = await fails(place, api, Symptom.NODE_FELL, Stage.REBOOT)
    assert error.cause == "the node cannot start: jsn_sr04t needs datum_mm"
    assert error.remedies[0] == "give the height"


async def test_another_node_on_the_cable_is_not_taken_for_this_one(place: Workplace, api: CloudApi) -> None:
    place.console.statuses = [None, status(node="somebody-else")]
    await fails(place, api, Symptom.OTHER_NODE, Stage.REBOOT)


async def test_a_store_that_does_not_show_the_reading_is_not_a_success(
    place: Workplace, api: CloudApi, cloud: CloudStandIn
) -> None:
    stored(cloud, time_ms=1)  # an old reading of before
    place.console.statuses = [None, status()]
    await fails(place, api, Symptom.NOT_STORED, Stage.STORED)
    empty = [{"name": "jsn_sr04t", "ok": True, "error": None, "values": {"level_m": None}}]
    place.console.statuses = [None, status(sensors=empty)]
    assert "measure nothing: jsn_sr04t" in (await fails(place, api, Symptom.NO_VALUE, Stage.STORED)).cause
    stored(cloud, qc={"level_m": 4}, rejected={"level_m": 99.0})
    place.console.statuses = [None, status()]
    error = await fails(place, api, Symptom.IMPLAUSIBLE, Stage.STORED)
    assert error.cause == "level_m = 99.0 is not plausible"


async def test_a_bare_pico_gets_its_program_by_its_drive(
    place: Workplace, api: CloudApi, cloud: CloudStandIn, tmp_path: Path
) -> None:
    import struct

    from edge.field.chips import PICO_W
    from edge.field.ports import Port

    block = struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, 0x10000000, 256, 0, 1, 0xE48BFF56).ljust(
        512, b"\0"
    )
    (tmp_path / "pico.uf2").write_bytes(block)
    place.tools.shelf.find(PICO_W, tmp_path / "pico.uf2")
    drive = tmp_path / "RPI-RP2"
    drive.mkdir()
    (drive / "INFO_UF2.TXT").write_text("Board-ID: RPI-RP2")
    place.ports.clear()
    place.files.name = "rp2"
    stored(cloud)

    async def sleep(seconds: float) -> None:
        place.clock.now_s += seconds
        if (drive / "pico_w.uf2").exists() and not place.ports:
            place.ports.append(Port("/dev/ttyACM0", "", 0x2E8A, 5, "e661"))

    import dataclasses

    place.tools = dataclasses.replace(place.tools, sleep=sleep)
    place.console.statuses = [status()]
    done, course = await run(place, api, handling={"drive": drive})
    assert done.node == NODE and course.steps[Stage.CHIP].state is State.DONE
    assert place.files.resets == 1 and "settings.json" in place.files.files


async def test_a_port_that_cannot_be_opened_stops_at_the_port(place: Workplace, api: CloudApi) -> None:
    import dataclasses

    def busy(_device: str) -> None:
        raise diagnose(Symptom.PORT_BUSY, port=BOARD.device)

    place.tools = dataclasses.replace(place.tools, check_port=busy)
    await fails(place, api, Symptom.PORT_BUSY, Stage.PORT)
