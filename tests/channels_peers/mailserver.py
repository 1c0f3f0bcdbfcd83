"""A real SMTP server (aiosmtpd) with TLS and accounts, and a mailbox that keeps what it is handed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

ACCOUNT, PASSWORD = "alerts@city.example", "c0rrect-horse"


class Mailbox:
    """Keeps mails; `refuse` maps a recipient to the reply that it gets instead."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.over_tls: list[bool] = []
        self.signed_in: list[bool] = []
        self.refuse: dict[str, str] = {}
        self.refuse_data = ""
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse_data:
            return self.refuse_data
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients += envelope.rcpt_tos
        assert server.transport is not None
        self.over_tls.append(server.transport.get_extra_info("cipher") is not None)
        self.signed_in.append(bool(session.authenticated))
        return "250 Message accepted for delivery"


def _authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    right = (data.login, data.password) == (ACCOUNT.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right or None)


@asynccontextmanager
async def mail_server(context: ssl.SSLContext | None, tls: str) -> AsyncIterator[Mailbox]:
    """`tls` is starttls, implicit or none. With STARTTLS it wants a sign-in, without TLS it offers none."""
    box = Mailbox()

    def session() -> SMTP:
        return SMTP(
            box,
            hostname="mail.city.example",
            enable_SMTPUTF8=False,
            require_starttls=tls == "starttls",
            tls_context=context if tls == "starttls" else None,
            authenticator=_authenticate if context else None,
            auth_required=tls == "starttls",
            auth_require_tls=tls == "starttls",
            loop=asyncio.get_running_loop(),
        )

    outer = context if tls == "implicit" else None
    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=outer)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()
