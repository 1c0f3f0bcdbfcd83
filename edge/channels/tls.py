"""TLS as all channels use it: certificates are always checked, by the system's authorities or by one's own."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge.channels.channel import ChannelError
from edge.model.errors import ConfigError


def client_context(ca_file: Path | None, name: str) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, or only those in `ca_file`."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"channel {name}: ca_file {ca_file} cannot be used: {error}", remedy="give a PEM file"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def tls_trouble(name: str, error: BaseException) -> ChannelError:
    """Return what a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ChannelError(
            f"channel {name}: the certificate is not trusted: {error.verify_message}",
            remedy="give the authority's certificate as ca_file; check the address and this machine's clock",
        )
    why = error.reason if isinstance(error, ssl.SSLError) else type(error).__name__
    return ChannelError(
        f"channel {name}: TLS failed: {why}", remedy="check the port, and that it speaks TLS", retry=True
    )
