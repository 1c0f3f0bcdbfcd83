"""What can go wrong in the field: symptom -> stage, cause and what to do next, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.field.stages import Stage, exit_code
from edge.model.errors import CityError


class Symptom(StrEnum):
    """What was seen; the table says what it means."""

    NO_BOARD = "no_board"
    SEVERAL_BOARDS = "several_boards"
    PORT_GONE = "port_gone"
    PORT_BUSY = "port_busy"
    NO_PERMISSION = "no_permission"
    PORT_BROKEN = "port_broken"
    CHIP_SILENT = "chip_silent"
    WRONG_CHIP = "wrong_chip"
    UNKNOWN_CHIP = "unknown_chip"
    SAME_BOARD = "same_board"
    NO_PICO_DRIVE = "no_pico_drive"
    NO_IMAGE = "no_image"
    IMAGE_DAMAGED = "image_damaged"
    NOT_AN_IMAGE = "not_an_image"
    FLASH_BROKE_OFF = "flash_broke_off"
    FLASH_DIFFERS = "flash_differs"
    CLOUD_AWAY = "cloud_away"
    TOKEN_REFUSED = "token_refused"
    NOT_REGISTERED = "not_registered"
    ID_TAKEN = "id_taken"
    CLOUD_REFUSED = "cloud_refused"
    BOARD_REFUSED = "board_refused"
    NO_IDENTITY_LEFT = "no_identity_left"
    IDENTITY_USED = "identity_used"
    CERTIFICATE_FOREIGN = "certificate_foreign"
    NO_REPL = "no_repl"
    BOARD_FULL = "board_full"
    COPY_BROKE_OFF = "copy_broke_off"
    NODE_MUTE = "node_mute"
    NODE_FELL = "node_fell"
    OTHER_NODE = "other_node"
    NO_WIFI = "no_wifi"
    NO_WIFI_NAME = "no_wifi_name"
    BAD_PASSWORD = "bad_password"
    NO_ADDRESS = "no_address"
    NO_TIME = "no_time"
    DNS = "dns"
    BROKER_AWAY = "broker_away"
    TLS_DATE = "tls_date"
    TLS_AUTHORITY = "tls_authority"
    CERTIFICATE_REFUSED = "certificate_refused"
    LOGIN_REFUSED = "login_refused"
    BROKER_HANGS_UP = "broker_hangs_up"
    ACCESS_LIST = "access_list"
    NO_SAMPLE = "no_sample"
    SENSOR_SILENT = "sensor_silent"
    NO_VALUE = "no_value"
    IMPLAUSIBLE = "implausible"
    GATEWAY_SILENT = "gateway_silent"
    NOT_STORED = "not_stored"
    NODE_SAYS = "node_says"
    TAP_REFUSED = "tap_refused"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The stage at which it shows, the cause, and what to do, the likeliest first; {names} are facts."""

    stage: Stage
    cause: str
    remedies: tuple[str, ...]


_AGAIN = "run the same command again: it goes on where it stopped"
_S = Stage

TABLE: dict[Symptom, Diagnosis] = {
    Symptom.NO_BOARD: Diagnosis(_S.PORT, "no board is connected{seen}", (
        "plug it in with a data cable (many cables only charge), and wait two seconds",
        "a Pico W without MicroPython: hold BOOTSEL while you plug it in",
        "if it has no USB chip: name the adapter's port with --port",
    )),
    Symptom.SEVERAL_BOARDS: Diagnosis(_S.PORT, "several boards are connected: {ports}", (
        "unplug the others, or name one: --port {first}",
    )),
    Symptom.PORT_GONE: Diagnosis(_S.PORT, "{port} is not there (any more)", (
        "plug the board in again; a loose or thin cable does this", _AGAIN,
    )),
    Symptom.PORT_BUSY: Diagnosis(_S.PORT, "{port} is in use{holder}", (
        "close the other program: a terminal, an editor, another `node` command", _AGAIN,
    )),
    Symptom.NO_PERMISSION: Diagnosis(_S.PORT, "you may not open {port}", (
        "sudo usermod -aG {group} $USER, then log out and in",
        "only for now: sudo chmod a+rw {port}",
    )),
    Symptom.PORT_BROKEN: Diagnosis(_S.PORT, "{port} cannot be used: {said}", (
        "unplug the board, wait two seconds, plug it in, preferably without a hub", _AGAIN,
    )),
    Symptom.CHIP_SILENT: Diagnosis(_S.CHIP, "the chip on {port} does not answer", (
        "hold BOOT, press and release EN (or RST), release BOOT, then run it again with --no-reset",
        "use another cable, without a hub",
        "disconnect sensors from GPIO0, 2 and 12: they decide how the chip starts",
    )),
    Symptom.WRONG_CHIP: Diagnosis(_S.CHIP, "the board has an {found}, but {file} is for {wanted}", (
        "give the image for {found}: --image FILE",
    )),
    Symptom.UNKNOWN_CHIP: Diagnosis(_S.CHIP, "{found} is no chip that City Neuron runs on", (
        "take an ESP32, ESP32-S3, ESP32-C3 or a Raspberry Pi Pico W",
    )),
    Symptom.SAME_BOARD: Diagnosis(_S.CHIP, "the board {serial} is another row's node already", (
        "unplug it, plug in the next one, and run it again",
    )),
    Symptom.NO_PICO_DRIVE: Diagnosis(_S.CHIP, "no RPI-RP2 drive is mounted", (
        "hold BOOTSEL, plug the Pico W in, release; then run it again",
        "if the drive is mounted elsewhere: --drive FOLDER",
    )),
    Symptom.NO_IMAGE: Diagnosis(_S.FLASH, "there is no MicroPython image for {chip} in {folder}", (
        "download one from micropython.org/download/{board} and give it once: --image FILE",
    )),
    Symptom.IMAGE_DAMAGED: Diagnosis(_S.FLASH, "{file} is not what its digest says", (
        "download it again, and give it with --image FILE",
        "if you replaced it on purpose: remove {file}.sha256",
    )),
    Symptom.NOT_AN_IMAGE: Diagnosis(_S.FLASH, "{file} is no MicroPython image: {said}", (
        "take the .bin (ESP32) or .uf2 (Pico W) from micropython.org/download",
    )),
    Symptom.FLASH_BROKE_OFF: Diagnosis(_S.FLASH, "writing the flash broke off: {said}", (
        "run it again with --baud 115200", "use a short cable, without a hub",
    )),
    Symptom.FLASH_DIFFERS: Diagnosis(_S.FLASH, "the flash does not hold what was written", (
        "run it again with --baud 115200", "if that changes nothing the flash is worn out: take another board",
    )),
    Symptom.CLOUD_AWAY: Diagnosis(_S.REGISTER, "the cloud at {url} cannot be reached: {said}", (
        "check this computer's own network, and --cloud",
        "no link here? --offline BUNDLE has identities; `cityneuron node sync` tells the cloud later",
    )),
    Symptom.TOKEN_REFUSED: Diagnosis(_S.REGISTER, "the cloud at {url} does not take the token", (
        "give the file with the cloud's token: --token-file FILE (mode 0600)",
    )),
    Symptom.NOT_REGISTERED: Diagnosis(_S.REGISTER, "the cloud at {url} knows no {what}", (
        "see what there is: cityneuron node {how}",
    )),
    Symptom.ID_TAKEN: Diagnosis(_S.REGISTER, "{said}", (
        "{remedy}", "which board is which? cityneuron node list, and the numbers on the labels",
    )),
    Symptom.CLOUD_REFUSED: Diagnosis(_S.REGISTER, "the cloud refuses: {said}", (
        "{remedy}", "correct that, then run the same command again",
    )),
    Symptom.BOARD_REFUSED: Diagnosis(_S.REGISTER, "{said}", (
        "provision this board again: it gets another identity, and {node} is left to whoever has it",
        "what it measured as {node} stays in quarantine at its gateway: cityneuron quarantine list",
    )),
    Symptom.NO_IDENTITY_LEFT: Diagnosis(_S.IDENTITY, "{bundle} has no identity left for {node}", (
        "leave --id out: without a link the ids are those of the bundle",
        "have a new one made: cityneuron cloud ca issue-offline N",
    )),
    Symptom.IDENTITY_USED: Diagnosis(_S.IDENTITY, "{node} of {bundle} is the board {serial} already", (
        "leave --id out: the board gets the next free identity",
        "if this board takes the place of the other: cityneuron node replace {node}, when there is a link",
    )),
    Symptom.CERTIFICATE_FOREIGN: Diagnosis(_S.IDENTITY, "the certificate does not fit: {said}", (
        _AGAIN, "if it stays so, the cloud's authority was set up anew: tell its administrator",
    )),
    Symptom.NO_REPL: Diagnosis(_S.FILES, "MicroPython on {port} does not answer: {said}", (
        "press EN (RST) on the board once, then run it again",
        "if it stays silent, write everything anew: run it again with --erase",
    )),
    Symptom.BOARD_FULL: Diagnosis(_S.FILES, "the board's flash is full", (
        "write it anew: run it again with --erase (readings not yet delivered are lost)",
    )),
    Symptom.COPY_BROKE_OFF: Diagnosis(_S.FILES, "copying the files broke off: {said}", (
        "use a short cable, without a hub", _AGAIN,
    )),
    Symptom.NODE_MUTE: Diagnosis(_S.REBOOT, "the node does not answer on {port} after its restart", (
        "press EN (RST) on the board once, then run it again",
        "look at what it says: cityneuron node console --port {port}",
        "write everything anew: run it again with --erase",
    )),
    Symptom.NODE_FELL: Diagnosis(_S.REBOOT, "the node cannot start: {said}", ("{remedy}", _AGAIN)),
    Symptom.OTHER_NODE: Diagnosis(_S.REBOOT, "the board answers as {found}, not as {node}", (
        "check that --port names the board in your hand", _AGAIN,
    )),
    Symptom.NO_WIFI: Diagnosis(_S.NETWORK, "no Wi-Fi {ssid} in reach of the node", (
        "check the name, letter by letter: capitals count, and ESP32 and Pico W see 2.4 GHz only",
        "move the node or its antenna; metal boxes hold the signal off",
        "another name: run it again with --wifi SSID",
    )),
    Symptom.NO_WIFI_NAME: Diagnosis(_S.NETWORK, "the node was told no Wi-Fi", (
        "run it again with --wifi SSID --ask-password",
        "for all boards: wifi_ssid and wifi_password_file in field.toml",
    )),
    Symptom.BAD_PASSWORD: Diagnosis(_S.NETWORK, "Wi-Fi {ssid} refuses the password", (
        "run it again with --ask-password, and type it anew",
        "an access point for WPA3 only refuses too: set it to WPA2/WPA3",
    )),
    Symptom.NO_ADDRESS: Diagnosis(_S.NETWORK, "joined Wi-Fi {ssid}, but got no address", (
        "look whether the access point's DHCP has addresses left", "look whether it filters MAC addresses",
    )),
    Symptom.NO_TIME: Diagnosis(_S.CLOCK, "nobody tells the node the time ({hosts})", (
        "let UDP port 123 through from the node's network",
        "or let the node ask its gateway, which answers too: --ntp GATEWAY",
    )),
    Symptom.DNS: Diagnosis(_S.BROKER, "the name {broker} means nothing in the node's network", (
        "give the broker's address: run it again with --broker ADDRESS",
        "or let the access point hand out a DNS server that knows it",
    )),
    Symptom.BROKER_AWAY: Diagnosis(_S.BROKER, "the broker {broker} does not answer the node", (
        "is the gateway on, and in the node's network?",
        "let TCP port {broker_port} through from there to {broker}",
    )),
    Symptom.TLS_DATE: Diagnosis(_S.BROKER, "a certificate is not valid at the time the node has: {said}", (
        "see that the node gets the time (stage clock); its clock says {clock}",
        "if the time is right, the broker's certificate has run out: tell its administrator",
    )),
    Symptom.TLS_AUTHORITY: Diagnosis(_S.BROKER, "the broker's certificate is not of our authority: {said}", (
        "the broker was set up anew: run it again, which gives the node the present authority",
        "or the address leads to another broker: check --broker",
    )),
    Symptom.CERTIFICATE_REFUSED: Diagnosis(_S.BROKER, "the broker refuses the node's certificate: {said}", (
        "it was revoked or is of another authority: run it again, which brings a new one",
        "see that the broker has the cloud's present list of revoked certificates",
    )),
    Symptom.LOGIN_REFUSED: Diagnosis(_S.BROKER, "the broker refuses the log-in of {node}", (
        "the certificate's name must be the node's id: run it again, which makes both anew",
    )),
    Symptom.BROKER_HANGS_UP: Diagnosis(_S.BROKER, "the broker hangs up on the node: {said}", (
        "it may refuse the certificate: does it have the cloud's authority, and its list of revoked ones?",
        "look into the broker's log; two nodes with one id throw each other off",
        "a broker without TLS on this port? check --broker",
    )),
    Symptom.ACCESS_LIST: Diagnosis(_S.BIRTH, "the broker's access list keeps {node} from its own topics", (
        "see deploy/mosquitto/acl.conf: patterns with %u, and use_identity_as_username true",
        "have the broker read it again: kill -HUP",
        "or the node and the gateway are at two brokers: check --broker",
    )),
    Symptom.NO_SAMPLE: Diagnosis(_S.SAMPLE, "the node has taken no reading in {waited} s", (
        "take one by hand: cityneuron node console --port {port}, then: sample", _AGAIN,
    )),
    Symptom.SENSOR_SILENT: Diagnosis(_S.SAMPLE, "sensor {sensor} is silent: {said}", (
        "check its power (a 5 V sensor on 3.3 V stays silent) and its common ground",
        "data lines: TX of the one goes to RX of the other; see docs/hardware.md for the pins",
        "is it the sensor you said? --sensor DRIVER:BUS",
    )),
    Symptom.NO_VALUE: Diagnosis(_S.SAMPLE, "the sensors answer, but measure nothing: {sensor}", (
        "a level sensor has no echo: is the water within its reach, nothing in its way or within 20 cm?",
        "one that warms up (particles, gas) measures a period later: look again with `cityneuron node doctor`",
        _AGAIN,
    )),
    Symptom.IMPLAUSIBLE: Diagnosis(_S.SAMPLE, "{quantity} = {value} is not plausible{limits}", (
        "look at the sensor: covered, in its blind zone, not yet mounted?",
        "check what it was told: datum, scale, range (cityneuron node show {node})",
    )),
    Symptom.GATEWAY_SILENT: Diagnosis(_S.STORED, "the broker has the reading, but no gateway acknowledges it", (
        "is the gateway running? cityneuron node list shows when nodes were heard",
        "does its gateway know the node? it asks the cloud every few seconds",
        "does the broker's access list let {node} write? a broker acknowledges also what it denies",
    )),
    Symptom.NOT_STORED: Diagnosis(_S.STORED, "the gateway has the reading, the cloud's store not yet", (
        "it is safe on the gateway's disk; its link to the store is down or slow",
        "look again later: cityneuron node show {node}",
    )),
    Symptom.TAP_REFUSED: Diagnosis(_S.BROKER, "{broker} does not let this computer listen: {said}", (
        "check --broker, its user and password, and this computer's own network",
        "by mqtts its certificate counts: ca_file in field.toml names its authority",
    )),
    Symptom.NODE_SAYS: Diagnosis(_S.REBOOT, "the node says: {said}", ("{remedy}", _AGAIN)),
}  # fmt: skip
"""Every symptom."""


class FieldError(CityError):
    """A stage failed: which, why, and what to do next, the likeliest first."""

    def __init__(self, symptom: Symptom, stage: Stage, cause: str, remedies: tuple[str, ...]) -> None:
        super().__init__(f"{stage}: {cause}", remedy="; ".join(remedies))
        self.symptom = symptom
        self.stage = stage
        self.cause = cause
        self.remedies = remedies

    @property
    def exit_code(self) -> int:
        """What the command returns to the shell."""
        return exit_code(self.stage)

    def at(self, stage: Stage) -> FieldError:
        """Return the same error as seen at another stage: a cable may come loose at any."""
        return FieldError(self.symptom, stage, self.cause, self.remedies)

    def to_dict(self) -> dict[str, object]:
        """Return the error as `--json` prints it."""
        return {
            "symptom": self.symptom.value,
            "stage": self.stage.value,
            "cause": self.cause,
            "remedies": list(self.remedies),
        }


class _Facts(dict[str, object]):
    def __missing__(self, name: str) -> object:
        return "no reason given" if name == "said" else ""


def diagnose(symptom: Symptom, *, stage: Stage | None = None, **facts: object) -> FieldError:
    """Return the error of a symptom, its texts filled with facts (port, said, node...)."""
    row, known = TABLE[symptom], _Facts(facts)
    cause = row.cause.format_map(known).strip()
    remedies = tuple(text for text in (each.format_map(known).strip() for each in row.remedies) if text)
    return FieldError(symptom, stage or row.stage, cause, remedies)
