"""Reads the speech out of two adventure games' archives (Debian packages, both with recordings of actors).

Beneath a Steel Sky: `sky.dnr` is a list of files inside `sky.dsk`; speech has numbers from 50000, is packed by RNC
(method 1) and holds unsigned 8 bit samples at 11,025 Hz. Flight of the Amazon Queen: `queen.1c` starts with a list of MP3 files.
"""
import io
import struct

import numpy as np
import soundfile


class Bits:
    """The bit reader of RNC: 16 bit little-endian words, lowest bit first; literals interrupt the words."""

    def __init__(self, octets, at):
        self.octets, self.at, self.buffer, self.count = octets, at, self_word(octets, at), 16

    def drop(self, number):
        self.buffer >>= number
        self.count -= number
        if self.count < 16:
            self.at += 2
            self.buffer |= self_word(self.octets, self.at) << self.count
            self.count += 16

    def read(self, number):
        value = self.buffer & ((1 << number) - 1)
        self.drop(number)
        return value

    def literals(self, number):
        start = self.at
        self.at += number
        self.count -= 16
        self.buffer = self.buffer & ((1 << self.count) - 1) | self_word(self.octets, self.at) << self.count
        self.count += 16
        return self.octets[start : self.at]


def self_word(octets, at):
    return octets[at] | octets[at + 1] << 8


def read_codes(bits):
    """A table of (code, length, value); codes are compared with the low bits of the buffer."""
    lengths = [bits.read(4) for _ in range(bits.read(5))]
    table, code = [], 0
    for length in range(1, max(lengths, default=0) + 1):
        for value, own in enumerate(lengths):
            if own == length:
                table.append((int(format(code, f"0{length}b")[::-1], 2), length, value))
                code += 1
        code <<= 1
    return table


def read_number(bits, table):
    for code, length, value in table:
        if bits.buffer & ((1 << length) - 1) == code:
            bits.drop(length)
            return value if value < 2 else 1 << value - 1 | bits.read(value - 1)
    raise ValueError("no such code")


def unpack_rnc(packed):
    octets = packed + b"\0" * 8
    size = struct.unpack(">I", octets[4:8])[0]
    bits, out = Bits(octets, 18), bytearray()
    bits.drop(2)
    while len(out) < size:
        raw, distance, length = read_codes(bits), read_codes(bits), read_codes(bits)
        left = bits.read(16)
        while True:
            number = read_number(bits, raw)
            if number:
                out += bits.literals(number)
            left -= 1
            if left <= 0:
                break
            back = read_number(bits, distance) + 1
            for _ in range(read_number(bits, length) + 2):
                out.append(out[-back])
    return bytes(out)


def steel_sky(root, language):
    """Names of actors are not in the files; blocks of the numbers belong to scenes, so a block stands for a speaker."""
    folder = root / "usr/share/scummvm/beneath-a-steel-sky"
    index, data = (folder / "sky.dnr").read_bytes(), (folder / "sky.dsk").read_bytes()
    for row in range(struct.unpack("<I", index[:4])[0]):
        entry = index[4 + 8 * row : 12 + 8 * row]
        number = entry[0] | entry[1] << 8
        place = entry[2] | entry[3] << 8 | entry[4] << 16
        size = (entry[5] | entry[6] << 8 | entry[7] << 16) & 0x3FFFFF
        place = (place & 0x7FFFFF) * (16 if place >> 23 else 1)
        if not 50000 <= number < 60000 or data[place + 22 : place + 26] != b"RNC\x01":
            continue
        samples = np.frombuffer(unpack_rnc(data[place + 22 : place + size]), np.uint8).astype(np.float32) / 128 - 1
        if len(samples) > 11025 * 0.8:
            yield folder / str(number), samples - samples.mean(), 11025, f"sky-{number // 256}", language


def amazon_queen(root, language):
    """A speech file's name ends with J for the leading man or another letter for all others."""
    path = root / "usr/share/scummvm/flight-of-the-amazon-queen/queen.1c"
    data = path.read_bytes()
    at = data.index(b".SB") - 8
    while data[at + 12 : at + 13] in (b"\0", b"\1"):
        name, _, place, size = struct.unpack(">12sBII", data[at : at + 21])
        name = name.rstrip(b"\0").decode("latin-1")
        if name.endswith(".SB"):
            try:
                samples, rate_hz = soundfile.read(io.BytesIO(data[place : place + size]), dtype="float32")
            except soundfile.SoundFileError:
                samples, rate_hz = np.zeros(0, np.float32), 8000
            speaker = "joe" if name.split(".")[0][-2] == "J" else "other"
            if len(samples) > rate_hz * 0.8:
                yield path.parent / name, samples, rate_hz, f"queen-{speaker}", language
        at += 21
