"""The counter: a line protocol over TCP, on the port of its first argument.

    add N     adds to the sum, answers the sum
    keep X    keeps X in a set, answers the set's size
    kept      answers the set's size
"""

import socketserver
import sys
import threading

lock = threading.Lock()
total = 0
kept = set()


def answer(word, rest):
    global total
    with lock:
        if word == "add":
            total += int(rest)
            return total
        if word == "keep":
            kept.add(rest)
        return len(kept)


class Line(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            word, _, rest = line.decode().strip().partition(" ")
            self.wfile.write(f"{answer(word, rest)}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, _request, client_address):
        print(f"{client_address} hung up", flush=True)


Server(("127.0.0.1", int(sys.argv[1])), Line).serve_forever()
