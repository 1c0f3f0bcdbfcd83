"""The commands `node bundle ...`: keys that sign updates, and bundles made with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edge.field.bundle import (
    IMAGE_FILE,
    build_bundle,
    keys_file,
    load_signing_key,
    make_signing_key,
    public_pem,
    read_bundle,
    save_signing_key,
    verify_bundle,
)
from edge.field.image import firmware_version, slot_files
from edge.field.make import read_public_key
from edge.field.micropython import read_app_image
from edge.field.options import terminal
from edge.model.errors import ConfigError

PASSPHRASE = "CITYNEURON_UPDATE_PASSPHRASE"
"""The variable that holds the passphrase of the signing key, if it has one."""

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def bundle() -> None:
    """Make and check signed updates; the key that signs them belongs on no server."""


@app.command("keys")
def keys(
    file: Annotated[Path, typer.Argument(metavar="KEY.pem", help="The private key; .pub goes beside it.")],
) -> None:
    """Make a key that signs updates (RSA-3072), encrypted when CITYNEURON_UPDATE_PASSPHRASE is set."""
    key = make_signing_key()
    save_signing_key(file, key, os.environ.get(PASSPHRASE, ""))
    public = file.with_suffix(".pub")
    public.write_bytes(public_pem(key.public_key()))
    terminal().print(
        f"{file}: keep it offline\n{public}: for update_keys in field.toml and cloud.toml", highlight=False
    )


@app.command("build")
def build(
    signer: Annotated[list[Path], typer.Option("--key", help="A private key that signs it (repeat for more).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle.")],
    board: Annotated[
        str, typer.Option("--board", help="esp32, pico_w: what births show as hardware.")
    ] = "esp32",
    version: Annotated[
        str | None, typer.Option("--version", help="Else what the firmware says of itself.")
    ] = None,
    firmware: Annotated[Path | None, typer.Option("--firmware", help="Another folder of sources.")] = None,
    image: Annotated[
        Path | None,
        typer.Option("--image", help="MicroPython itself (.app-bin), for ESP32s with two partitions."),
    ] = None,
    following: Annotated[
        Path | None, typer.Option("--next", help="The public key that will sign after this one.")
    ] = None,
) -> None:
    """Make a signed bundle of the firmware for a board."""
    signers = [load_signing_key(path, os.environ.get(PASSPHRASE, "")) for path in signer]
    if not signers:
        raise ConfigError(
            "no key signs it", remedy="--key KEY.pem; make one: cityneuron node bundle keys KEY.pem"
        )
    held = keys_file(signers[0].public_key(), read_public_key(following) if following else None)
    made = version or firmware_version(firmware)
    files = slot_files(firmware=firmware)
    if image is not None:
        files[IMAGE_FILE] = read_app_image(image)
    content = build_bundle(files, version=made, board=board, signers=signers, keys=held)
    output.write_bytes(content)
    terminal().print(
        f"{output}: {made} for {board}, {len(content) / 1024:.0f} KB, {len(signers)} signature(s)",
        highlight=False,
    )


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE")],
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="A public key that must have signed it.")
    ] = None,
) -> None:
    """Read a bundle, check all its digests and, with --key, its signature."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    found = verify_bundle(content, [read_public_key(path) for path in key]) if key else read_bundle(content)
    signed = "signed by the key" if key else "signature not checked (--key)"
    terminal().print(
        f"{file}: {found.version} for {found.board}, {len(found.entries)} files, {signed}", highlight=False
    )
