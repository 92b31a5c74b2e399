"""The counter: a line protocol over TCP. `+1` counts and answers the count."""

import socketserver
import sys
import threading

lock = threading.Lock()
count = 0


class Line(socketserver.StreamRequestHandler):
    def handle(self):
        global count
        for line in self.rfile:
            if line.strip() == b"+1":
                with lock:
                    count += 1
                    now = count
                self.wfile.write(f"{now}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Line).serve_forever()
