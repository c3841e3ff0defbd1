"""A mail server and a web server that keep what they get: one JSON line each in FOLDER/mails and FOLDER/posts.

Mail needs STARTTLS and the login user/secret. The first mail to anybody at "later.example" is put off with 451, the
first POST to a path with "later" in it fails with 500. The ports stand in FOLDER/ports once both serve.
"""
import asyncio
import http.server
import json
import os
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP

folder, certificate, key = sys.argv[1:4]
lock = threading.Lock()
put_off = set()


def keep(name, entry):
    with lock, open(os.path.join(folder, name), "a") as file:
        file.write(json.dumps(entry) + "\n")


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        recipients = envelope.rcpt_tos
        late = [address for address in recipients if address.endswith("@later.example")]
        if late and late[0] not in put_off:
            put_off.add(late[0])
            return "451 not now"
        keep("mails", {"from": envelope.mail_from, "to": recipients, "tls": session.ssl is not None,
                       "data": envelope.content.decode("latin-1")})
        return "250 taken"


def login(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"user" and data.password == b"secret")


class Mail(Controller):
    def factory(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return SMTP(self.handler, tls_context=context, require_starttls=True, authenticator=login, auth_required=True)


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "later" in self.path and self.path not in put_off:
            put_off.add(self.path)
            self.send_response(500)
        else:
            keep("posts", {"path": self.path, "headers": dict(self.headers), "body": body.decode()})
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=web.serve_forever, daemon=True).start()
mail = Mail(Mailbox(), hostname="127.0.0.1", port=0)
# The controller checks by connecting to its port, which it must know: the server is made by hand instead.
loop = asyncio.new_event_loop()
server = loop.run_until_complete(loop.create_server(mail.factory, "127.0.0.1", 0))
with open(os.path.join(folder, "ports.new"), "w") as file:
    file.write("%d %d" % (server.sockets[0].getsockname()[1], web.server_address[1]))
os.rename(os.path.join(folder, "ports.new"), os.path.join(folder, "ports"))
loop.run_forever()
