"""The rim that mails: the standard library's SMTP client, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

from edge.channels.channel import Channel, ChannelError
from edge.channels.mail import PORTS, MailConfig, check, mail, refusal
from edge.channels.message import Message
from edge.channels.tls import client_context, tls_trouble
from edge.config import read_secret

log = logging.getLogger(__name__)


class MailChannel(Channel):
    """Hands mails to one server, a connection each: alerts are few, and an idle connection soon dies."""

    def __init__(self, config: MailConfig) -> None:
        check(config)
        super().__init__(config, ())
        self._config = config
        self._password = read_secret(config.password_file)
        self._context = client_context(config.ca_file, config.name)
        self._thread: ThreadPoolExecutor | None = None

    async def close(self) -> None:
        """Let the thread go."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    async def _send(self, message: Message) -> None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"mail-{self.name}")
        letter = mail(message, self._config, time.time_ns() // 1_000_000)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._hand_over, letter)

    def _hand_over(self, letter: EmailMessage) -> None:
        name = self.name
        try:
            with self._connected() as server:
                refused = server.send_message(letter)
        except smtplib.SMTPNotSupportedError:
            raise self._no_extension() from None
        except smtplib.SMTPRecipientsRefused as error:
            code, said = max(error.recipients.values(), key=lambda reply: -reply[0])
            raise refusal(name, code, said) from None
        except smtplib.SMTPResponseException as error:
            raise refusal(name, error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPException as error:
            if isinstance(error.__context__, TimeoutError):  # as smtplib puts it
                raise TimeoutError from None  # told by `send`
            raise ChannelError(
                f"channel {name}: the mail server ended the talk: {error}",
                remedy="check host, port and tls: 465 is implicit, 587 is starttls",
                retry=True,
            ) from None
        except TimeoutError:
            raise  # told by `send`
        except ssl.SSLError as error:
            raise tls_trouble(name, error) from None
        except OSError as error:
            raise ChannelError(
                f"channel {name}: the mail server cannot be reached: {error.strerror or error}",
                remedy="check host, port and firewall",
                retry=True,
            ) from None
        for address, (code, said) in refused.items():
            log.warning("channel %s: not delivered to %s: %s", name, address, refusal(name, code, said).message)

    def _connected(self) -> smtplib.SMTP:
        config = self._config
        port = config.port or PORTS[config.tls]
        if config.tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                config.host, port, timeout=config.timeout_s, context=self._context
            )
        else:
            server = smtplib.SMTP(config.host, port, timeout=config.timeout_s)
        try:
            if config.tls == "starttls":
                server.starttls(context=self._context)
            if self._password:
                server.login(config.username, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _no_extension(self) -> ChannelError:
        if self._config.tls == "starttls":
            what, remedy = "offers no STARTTLS, or no sign-in", 'try tls = "implicit" with its port (465)'
        else:
            what, remedy = "offers no sign-in", "leave username and password_file out, or take its other port"
        return ChannelError(f"channel {self.name}: the mail server {what}", remedy=remedy)
