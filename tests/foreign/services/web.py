"""What the library's services share: a small HTTP/1.1 server and client on the standard library alone."""

import http.client
import json
import re
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(host, port, routes):
    """Serves `routes`: a list of (method, pattern, handler). A handler takes the match, the headers and the
    JSON body, and returns (status, body) or (status, body, headers)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            for method, pattern, handler in routes:
                found = re.fullmatch(pattern, self.path.split("?")[0])
                if found and method == self.command:
                    try:
                        body = json.loads(raw) if raw else None
                    except ValueError:
                        return self.send(400, {"error": "the body is not JSON"})
                    return self.send(*handler(found, self.headers, body))
            self.send(404, {"error": "no such route"})

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def send(self, status, body, headers=None):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = Server((host, port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening on {host}:{port}", flush=True)
    server.serve_forever()


def call(address, method, path, headers, body=None, timeout=2.0):
    """One call on a connection of its own: (status, body), or (None, reason) when no whole answer came."""
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    except (OSError, http.client.HTTPException, ValueError) as why:
        return None, str(why)
    finally:
        connection.close()


def passed_on(headers):
    """What goes on to the next service, so that its calls can be told to belong together."""
    return {"traceparent": headers["traceparent"]} if headers.get("traceparent") else {}
