# SPDX-License-Identifier: GPL-2.0-or-later
"""A vhost-user front-end for tests, with just as much of the protocol as they need."""

import array
import os
import socket
import struct

GET_FEATURES, SET_FEATURES = 1, 2
GET_VRING_BASE, SET_VRING_KICK = 11, 12
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES = 15, 16
SET_VRING_ENABLE, SET_BACKEND_REQ_FD = 18, 21
GET_SHMEM_CONFIG = 44
SHMEM_MAP, SHMEM_UNMAP = 9, 10

VERSION, REPLY, NEED_REPLY = 1, 4, 8
REPLY_ACK, BACKEND_REQ, MEM_SLOTS, SHMEM = 3, 5, 15, 22

HEADER = struct.Struct("=III")
SHMEM_PAYLOAD = struct.Struct("=B7xQQQQ")

TIMEOUT_S = 20


def receive(sock):
    """(request, flags, payload, descriptors) of one message; None at the end of the channel."""
    fds = array.array("i")
    header, control, _, _ = sock.recvmsg(HEADER.size, socket.CMSG_SPACE(64 * 4),
                                         socket.MSG_CMSG_CLOEXEC)
    if not header:
        return None
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data)
    while len(header) < HEADER.size:
        header += sock.recv(HEADER.size - len(header))
    request, flags, size = HEADER.unpack(header)
    payload = b""
    while len(payload) < size:
        payload += sock.recv(size - len(payload))
    return request, flags, payload, list(fds)


class Request:
    """A request of the back-end. Its descriptors are closed but for their inodes."""

    def __init__(self, message):
        self.request, self.flags, self.payload, fds = message
        self.inodes = [os.fstat(fd).st_ino for fd in fds]
        for fd in fds:
            os.close(fd)
        self.need_reply = bool(self.flags & NEED_REPLY)
        if len(self.payload) >= SHMEM_PAYLOAD.size:
            (self.shmid, self.fd_offset, self.shm_offset, self.len,
             self.map_flags) = SHMEM_PAYLOAD.unpack_from(self.payload)


class FrontEnd:
    """One connection to a back-end."""

    def __init__(self, path, features=1 << REPLY_ACK | 1 << BACKEND_REQ | 1 << SHMEM):
        self.main = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.main.settimeout(TIMEOUT_S)
        self.main.connect(path)
        self.offered = struct.unpack("=Q", self.ask(GET_PROTOCOL_FEATURES))[0]
        self.tell(SET_PROTOCOL_FEATURES, struct.pack("=Q", self.offered & features))
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(TIMEOUT_S)
        self.tell(SET_BACKEND_REQ_FD, fds=[theirs.fileno()])
        theirs.close()
        self.kick = os.eventfd(0)

    def close(self):
        self.main.close()
        self.channel.close()
        if self.kick >= 0:
            os.close(self.kick)
            self.kick = -1

    # -- main channel -----------------------------------------------------------------

    def tell(self, request, payload=b"", fds=(), flags=VERSION):
        message = HEADER.pack(request, flags, len(payload)) + payload
        socket.send_fds(self.main, [message], list(fds))

    def answer(self):
        """The payload of the next answer."""
        message = receive(self.main)
        if message is None:
            raise EOFError("the back-end closed the main channel")
        return message[2]

    def ask(self, request, payload=b"", fds=()):
        """The payload of the answer to a request that has one."""
        self.tell(request, payload, fds)
        return self.answer()

    def acknowledged(self, request, payload=b"", fds=()):
        """Sends a request with NEED_REPLY and returns the value of the acknowledgement."""
        self.tell(request, payload, fds, VERSION | NEED_REPLY)
        return struct.unpack("=Q", self.answer())[0]

    def kick_only(self):
        """Gives the ring its kick descriptor, and does not enable it."""
        self.tell(SET_FEATURES, struct.pack("=Q", 1 << 32 | 1 << 30))
        self.tell(SET_VRING_KICK, struct.pack("=Q", 0), [self.kick])

    def start(self):
        self.kick_only()
        self.enable(1)

    def enable(self, value):
        self.tell(SET_VRING_ENABLE, struct.pack("=II", 0, value))

    def stop(self):
        self.enable(0)
        self.ask(GET_VRING_BASE, struct.pack("=II", 0, 0))

    def serves(self):
        """One round trip: the back-end has dealt with all that was sent before it."""
        return struct.unpack("=Q", self.ask(GET_FEATURES))[0]

    # -- back-end channel -------------------------------------------------------------

    def request(self):
        """The next request of the back-end; None when it has closed the channel."""
        message = receive(self.channel)
        return Request(message) if message else None

    def silent(self):
        """True when no request lies in the back-end channel."""
        self.channel.setblocking(False)
        try:
            self.channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self.channel.settimeout(TIMEOUT_S)
        return False

    def reply(self, request, value=0):
        self.channel.sendall(HEADER.pack(request.request, VERSION | REPLY, 8) +
                             struct.pack("=Q", value))

    def serve(self, value=0):
        """Reads one request and replies to it."""
        request = self.request()
        self.reply(request, value)
        return request
