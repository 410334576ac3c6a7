"""A mail server, aiosmtpd: prints where it is, then every letter as one JSON object a line, until its standard input ends.

Its argument is the domain's public key, as its name server would tell it; who signed a letter is what dkimpy makes of it.
"""

import asyncio
import json
import sys
from email import message_from_bytes, policy

import dkim
from aiosmtpd.smtp import SMTP

RECORD = f"v=DKIM1; k=rsa; p={sys.argv[1]}".encode()


def signed_by(content):
    """The name under which the signature's key is published, or nothing where the signature does not hold."""
    asked = []

    def name_server(name, timeout=5):
        asked.append(name.decode())
        return RECORD

    return asked[-1] if dkim.verify(content, dnsfunc=name_server) else None


class Keep:
    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body(preferencelist=("plain",))
        for to in envelope.rcpt_tos:
            letter = {
                "return_path": envelope.mail_from,
                "to": to,
                "subject": message["Subject"],
                "text": body.get_content() if body else "",
                "message_id": message["Message-ID"],
                "headers": dict(message.items()),
                "signed_by": signed_by(envelope.content),
            }
            print(json.dumps(letter), flush=True)
        return "250 Kept"


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Keep(), loop=loop), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
