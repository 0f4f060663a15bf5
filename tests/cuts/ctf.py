# SPDX-License-Identifier: GPL-2.0-or-later
"""Traces as LTTng 2 writes them, packet by packet: read, and written again with some left out."""

import os
import shutil
import struct

PACKET_MAGIC = 0xC1FC1FC1
INDEX_MAGIC = 0xC1F1DCC1
# After magic and UUID: class, instance; begin, end; content and packet size in bits; number,
# events discarded so far; CPU.
PACKET = struct.Struct("<IQQQQQQQI")
PACKET_AT = 20
HEAD_BYTES = PACKET_AT + PACKET.size
INDEX_HEAD = struct.Struct(">IIII")
OFFSET = struct.Struct(">Q")


class Packet:
    """One packet of a stream, and its entry of the index, if that has one."""

    def __init__(self, data, at, entry):
        magic, = struct.unpack_from("<I", data, at)
        if magic != PACKET_MAGIC:
            raise ValueError(f"No packet at {at}")
        (_, self.stream, self.begin, self.end, content, size, self.number, self.discarded,
         self.cpu) = PACKET.unpack_from(data, at + PACKET_AT)
        self.data = data[at:at + size // 8]
        self.empty = content // 8 <= HEAD_BYTES
        self.entry = entry


class Stream:
    """A stream's file."""

    def __init__(self, directory, name):
        self.name = name
        with open(os.path.join(directory, name), "rb") as file:
            data = file.read()
        self.index_head, entries = self._index(os.path.join(directory, "index", f"{name}.idx"))
        self.packets = []
        at = 0
        while at < len(data):
            number = len(self.packets)
            self.packets.append(Packet(data, at, entries[number] if number < len(entries)
                                       else None))
            at += len(self.packets[-1].data)

    @staticmethod
    def _index(path):
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None, []
        magic, _, _, size = INDEX_HEAD.unpack_from(data)
        if magic != INDEX_MAGIC:
            raise ValueError(f"{path}: not an index")
        body = data[INDEX_HEAD.size:]
        return data[:INDEX_HEAD.size], [body[at:at + size] for at in range(0, len(body), size)]


class Trace:
    """A directory with metadata."""

    def __init__(self, directory):
        self.directory = directory
        self.streams = [Stream(directory, name) for name in sorted(os.listdir(directory))
                        if name not in ("metadata", "index")]

    def times(self):
        """When each packet begins and ends: where a cut can change something. In cycles."""
        return sorted({time for stream in self.streams for packet in stream.packets
                       for time in (packet.begin, packet.end)})

    def write(self, out, keep, index="fitting", torn=()):
        """A copy with the packets for which KEEP(stream, packet) holds.

        INDEX: "fitting" has those packets, "whole" has all, "none" is left out. TORN: names of
        streams whose last packet lacks its second half. A stream without packets has no file.
        """
        os.makedirs(out)
        shutil.copy(os.path.join(self.directory, "metadata"), out)
        for stream in self.streams:
            kept = [packet for packet in stream.packets if keep(stream, packet)]
            if kept:
                parts = [packet.data for packet in kept]
                if stream.name in torn:
                    parts[-1] = parts[-1][:len(parts[-1]) // 2]
                with open(os.path.join(out, stream.name), "wb") as file:
                    file.write(b"".join(parts))
            indexed = stream.packets if index == "whole" else kept
            if index != "none" and stream.index_head and indexed:
                self._write_index(out, stream, indexed)

    @staticmethod
    def _write_index(out, stream, packets):
        os.makedirs(os.path.join(out, "index"), exist_ok=True)
        with open(os.path.join(out, "index", f"{stream.name}.idx"), "wb") as file:
            file.write(stream.index_head)
            at = 0
            for packet in packets:
                file.write(OFFSET.pack(at) + packet.entry[OFFSET.size:])
                at += len(packet.data)


def directories(path):
    """Every directory with metadata at or below PATH, in order of name."""
    return sorted(root for root, _, files in os.walk(path) if "metadata" in files)
