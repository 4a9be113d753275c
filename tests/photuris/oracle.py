"""A second Photuris, written from the formulas of RFC 2522 and RFC 2523 alone, with Python's standard library alone.

It shares nothing with the program under test: hashes that hashlib may lack (RIPEMD-160) and DES are written out here.

    oracle.py check FILE       recomputes everything in a recorded exchange, says "ok" or fails
    oracle.py initiator JSON   plays the initiator: hexadecimal datagrams on standard output and input, one a line,
    oracle.py responder JSON   or the responder; the last line is a JSON object of the keys that it derived
"""

import hashlib
import json
import struct
import sys

# ---- hashes ----------------------------------------------------------------------------------------------------------


def rol(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def ripemd160(data):
    """Dobbertin, Bosselaers, Preneel: RIPEMD-160, from its description."""
    r = [list(range(16)), [7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8]]
    for i in range(2, 5):
        r.append([r[1][x] for x in r[i - 1]])
    pi = [(9 * i + 5) % 16 for i in range(16)]
    rr = [pi]
    for i in range(1, 5):
        rr.append([r[1][x] for x in rr[i - 1]])
    s = [
        [11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8],
        [12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7],
        [13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9],
        [14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6],
        [15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5],
    ]
    k = [0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E]
    kk = [0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0]
    f = [
        lambda x, y, z: x ^ y ^ z,
        lambda x, y, z: (x & y) | (~x & z),
        lambda x, y, z: (x | ~y) ^ z,
        lambda x, y, z: (x & z) | (y & ~z),
        lambda x, y, z: x ^ (y | ~z),
    ]
    h = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]
    message = data + b"\x80" + bytes((55 - len(data)) % 64) + struct.pack("<Q", 8 * len(data))
    for at in range(0, len(message), 64):
        x = struct.unpack("<16I", message[at : at + 64])
        lines = []
        for order, constants, left in ((r, k, True), (rr, kk, False)):
            a, b, c, d, e = h
            for j in range(80):
                i = j // 16
                word = order[i][j % 16]
                func = f[i] if left else f[4 - i]
                t = (a + func(b, c, d) + x[word] + constants[i]) & 0xFFFFFFFF
                t = (rol(t, s[i][word]) + e) & 0xFFFFFFFF
                a, e, d, c, b = e, d, rol(c, 10), b, t
            lines.append((a, b, c, d, e))
        (a, b, c, d, e), (aa, bb, cc, dd, ee) = lines
        h = [
            (h[1] + c + dd) & 0xFFFFFFFF,
            (h[2] + d + ee) & 0xFFFFFFFF,
            (h[3] + e + aa) & 0xFFFFFFFF,
            (h[4] + a + bb) & 0xFFFFFFFF,
            (h[0] + b + cc) & 0xFFFFFFFF,
        ]
    return struct.pack("<5I", *h)


assert ripemd160(b"abc").hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"

HASH = {
    "MD5": lambda data: hashlib.md5(data).digest(),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "RIPEMD-160": ripemd160,
}


def fill(name, octets):
    """What the hash itself would append after so many octets: a 1 bit, zeros, the count of bits in 64 bits."""
    order = ">Q" if name == "SHA1" else "<Q"
    return b"\x80" + bytes((55 - octets) % 64) + struct.pack(order, 8 * octets)


def IPMAC(name, key, data):
    """RFC 2522 12.1: MD5( key, keyfill, data, datafill, key, MD5fill )."""
    text = key + fill(name, len(key)) + data
    text += fill(name, len(text)) + key
    return HASH[name](text)


def IPMAC_without_keyfill(name, key, data):
    """What OpenBSD's daemon computes for SPI messages."""
    text = key + data
    text += fill(name, len(text)) + key
    return HASH[name](text)


# ---- DES, FIPS 46-3 --------------------------------------------------------------------------------------------------

IP = [58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24]
IP += [16, 8, 57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39]
IP += [31, 23, 15, 7]
E = [32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17, 16, 17, 18, 19, 20, 21, 20, 21]
E += [22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1]
P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36]
PC1 += [63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4]
PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2]
PC2 += [41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
S = [
    "e4d12fb83a6c5907" "0f74e2d1a6cb9538" "41e8d62bfc973a50" "fc8249175b3ea06d",
    "f18e6b34972dc05a" "3d47f28ec01a69b5" "0e7ba4d158c6932f" "d8a13f42b67c05e9",
    "a09e63f51dc7b428" "d709346a285ecbf1" "d6498f30b12c5ae7" "1ad069874fe3b52c",
    "7de3069a1285bc4f" "d8b56f03472c1ae9" "a690cb7df13e5284" "3f06a1d8945bc72e",
    "2c417ab6853fd0e9" "eb2c47d150fa3986" "421bad78f9c5630e" "b8c71e2d6f09a453",
    "c1af92680d34e75b" "af427c9561de0b38" "9ef528c3704a1db6" "432c95fabe17608d",
    "4b2ef08d3c975a61" "d0b7491ae35c2f86" "14bdc37eaf680592" "6bd814a7950fe23c",
    "d2846fb1a93e50c7" "1fd8a374c56b0e92" "7b419ce206adf358" "21e74a8dfc90356b",
]


def bits(octets):
    return [octet >> (7 - i) & 1 for octet in octets for i in range(8)]


def octets(bit_list):
    return bytes(int("".join(map(str, bit_list[i : i + 8])), 2) for i in range(0, len(bit_list), 8))


def des_block(key, block, decrypt):
    cd = [bits(key)[i - 1] for i in PC1]
    c, d = cd[:28], cd[28:]
    keys = []
    for shift in SHIFTS:
        c, d = c[shift:] + c[:shift], d[shift:] + d[:shift]
        keys.append([(c + d)[i - 1] for i in PC2])
    block = [bits(block)[i - 1] for i in IP]
    left, right = block[:32], block[32:]
    for round_key in reversed(keys) if decrypt else keys:
        mixed = [right[e - 1] ^ k for e, k in zip(E, round_key)]
        out = []
        for box in range(8):
            six = mixed[6 * box : 6 * box + 6]
            row, column = 2 * six[0] + six[5], 8 * six[1] + 4 * six[2] + 2 * six[3] + six[4]
            out += bits(bytes([int(S[box][16 * row + column], 16)]))[4:]
        left, right = right, [l ^ out[p - 1] for l, p in zip(left, P)]
    final = right + left
    result = [0] * 64
    for at, i in enumerate(IP):
        result[i - 1] = final[at]
    return octets(result)


assert des_block(bytes.fromhex("133457799BBCDFF1"), bytes.fromhex("0123456789ABCDEF"), False).hex() == "85e813540f0ab405"


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cbc(keys, data, decrypt):
    """DES-CBC for one key, DES-EDE3-CBC for three; the IV is zero (RFC 2523 3)."""
    steps = [(keys[0], False)] if len(keys) == 1 else [(keys[0], False), (keys[1], True), (keys[2], False)]
    if decrypt:
        steps = [(key, not inverse) for key, inverse in reversed(steps)]
    before, out = bytes(8), b""
    for at in range(0, len(data), 8):
        block = data[at : at + 8]
        value = block if decrypt else xor(block, before)
        for key, inverse in steps:
            value = des_block(key, value, inverse)
        if decrypt:
            value = xor(value, before)
            before = block
        else:
            before = value
        out += value
    return out


def weak(key):
    """The 64 keys to discard: both halves of the key schedule repeat within 4 bits with even parity."""
    cd = [bits(key)[i - 1] for i in PC1]
    return all(half == half[4:] + half[:4] and sum(half[:4]) % 2 == 0 for half in (cd[:28], cd[28:]))


# ---- formats ---------------------------------------------------------------------------------------------------------


def VPI(value, size):
    """RFC 2522 2.3."""
    return struct.pack(">H", size) + value.rjust((size + 7) // 8, b"\0")


def read_vpi(data, at):
    size = struct.unpack_from(">H", data, at)[0]
    end = at + 2 + (size + 7) // 8
    return data[at:end], data[at + 2 : end], end


def number(octets):
    return int.from_bytes(octets, "big")


def minimal(n):
    return n.to_bytes((n.bit_length() + 7) // 8, "big")


def elements(data):
    """The numbers of an attribute list."""
    at, found = 0, []
    while at < len(data):
        if data[at] == 0:
            at += 1
        else:
            found.append(data[at])
            at += 2 + data[at + 1]
    return found


SCHEMES = {2: ("MD5", 0), 3: ("MD5", 0), 5: ("MD5", 0), 7: ("MD5", 0)}
SCHEMES.update({4: ("MD5", 1), 6: ("MD5", 1), 10: ("MD5", 1), 14: ("MD5", 1)})
SCHEMES.update({8: ("SHA1", 3), 12: ("SHA1", 3), 20: ("SHA1", 3), 28: ("SHA1", 3)})
IDENTITY = {5: "MD5", 6: "SHA1", 7: "RIPEMD-160"}


# ---- keys ------------------------------------------------------------------------------------------------------------


class Digests:
    """H( prefix, shared-secret repeated 1, 2, 3 ... times )."""

    def __init__(self, name, prefix, shared):
        self.name, self.text, self.shared = name, prefix, shared

    def next(self):
        self.text += self.shared
        return HASH[self.name](self.text)

    def take(self, count):
        out = b""
        while len(out) < count:
            out += self.next()
        return out[:count]


class Exchange:
    def __init__(self, scheme, icookie, rcookie, shared):
        self.hash, self.des_keys = SCHEMES[scheme]
        self.icookie, self.rcookie, self.shared = icookie, rcookie, shared

    def privacy(self, sender_value, receiver_value, header, text, decrypt):
        """RFC 2522 5.5 and 11, RFC 2523 3."""
        digests = Digests(self.hash, sender_value + receiver_value + header, self.shared)
        mask = digests.take(len(text))
        keys = []
        while len(keys) < self.des_keys:
            key = digests.take(8)
            if not weak(key) and key not in keys:
                keys.append(key)
        if not keys:
            return xor(text, mask)
        return xor(cbc(keys, text, True), mask) if decrypt else cbc(keys, xor(text, mask), False)

    def session_keys(self, owner_secret, user_secret, verification, attributes, lengths):
        """RFC 2522 5.6."""
        prefix = self.icookie + self.rcookie + owner_secret + user_secret + verification
        digests = Digests(self.hash, prefix, self.shared)
        keys = []
        for attribute in elements(attributes):
            length = lengths.get(str(attribute), 0)
            if not length:
                continue
            key = digests.take(length)
            while attribute == 8 and weak(key):
                key = digests.take(length)
            keys.append([attribute, key.hex()])
        return keys


def identity_data(header, choice, identification, request_verification, attributes, padding, sender, receiver, schemes):
    """RFC 2522 5.4; sender and receiver are (TBV, Exchange-Value, Offered-Attributes)."""
    return (
        header + choice + identification + request_verification + attributes + padding + b"".join(sender) + b"".join(receiver) + schemes
    )


def split_padding(plain):
    count = plain[-1]
    padding = plain[-count:]
    assert 8 <= count <= 255 and padding == bytes(range(1, count + 1)), "padding"
    return plain[:-count], padding


def parse_identity(plain):
    body, padding = split_padding(plain)
    choice = body[: 2 + body[1]]
    identification, name, at = read_vpi(body, len(choice))
    verification, digest, at = read_vpi(body, at)
    return choice, identification, name.rstrip(b"\0").decode(), verification, digest, body[at:], padding


# ---- checking a recorded exchange ------------------------------------------------------------------------------------


def check(record):
    lengths = record["keyOctets"]
    p, g = number(bytes.fromhex(record["modulus"])), number(bytes.fromhex(record["generator"]))
    side = {name: record[name] for name in ("initiator", "responder")}
    secret = {name: side[name]["secret"].encode() for name in side}
    x = {name: number(bytes.fromhex(side[name]["exponent"])) for name in side}
    messages = [(entry["from"], bytes.fromhex(entry["datagram"])) for entry in record["datagrams"]]
    by_type = {}
    for sender, datagram in messages:
        by_type.setdefault(datagram[32], []).append((sender, datagram))
    cookie_response, value_request, value_response = (by_type[n][0][1] for n in (1, 2, 3))
    icookie, rcookie = value_request[:16], value_request[16:32]
    assert cookie_response[:32] == value_request[:32] and cookie_response[33] == value_request[33], "cookies, counter"
    schemes = cookie_response[34:]
    scheme = struct.unpack_from(">H", value_request, 34)[0]
    assert scheme == record["scheme"]
    value, offered = {}, {}
    value["initiator"], y, at = read_vpi(value_request, 36)
    offered["initiator"] = value_request[at:]
    assert number(y) == pow(g, x["initiator"], p), "initiator's value"
    value["responder"], y, at = read_vpi(value_response, 36)
    offered["responder"] = value_response[at:]
    assert number(y) == pow(g, x["responder"], p), "responder's value"
    for name in value:
        assert struct.unpack(">H", value[name][:2])[0] == p.bit_length(), "Size of a value"
    shared = minimal(pow(g, x["initiator"] * x["responder"], p))
    exchange = Exchange(scheme, icookie, rcookie, shared)
    contribution = {
        "initiator": (value_request[33:36], value["initiator"], offered["initiator"]),
        "responder": (value_response[33:36], value["responder"], offered["responder"]),
    }
    other = {"initiator": "responder", "responder": "initiator"}
    derived, verifications, keys_of = [], {}, {}
    for kind in (4, 7):
        sender, datagram = by_type[kind][0]
        assert sender == ("initiator" if kind == 4 else "responder")
        header = datagram[:40]
        plain = exchange.privacy(value[sender], value[other[sender]], header, datagram[40:], True)
        choice, identification, name, verification, digest, attributes, padding = parse_identity(plain)
        assert name == side[sender]["name"], "name"
        assert len(datagram) % 128 == 0, "length"
        hash_name = IDENTITY[choice[0]]
        key = HASH[hash_name](secret[sender] + shared)
        data = identity_data(
            header,
            choice,
            identification,
            verifications["initiator"] if kind == 7 else b"",
            attributes,
            padding,
            contribution[sender],
            contribution[other[sender]],
            schemes,
        )
        assert IPMAC(hash_name, key, data) == digest, "Verification of %d" % kind
        verifications[sender] = verification
        keys_of[sender] = (hash_name, key)
        spi = struct.unpack_from(">I", datagram, 36)[0]
        keys = exchange.session_keys(secret[sender], secret[other[sender]], verification, attributes, lengths)
        derived.append({"owner": sender, "spi": spi, "keys": keys})
    for kind in (8, 9):
        for sender, datagram in by_type.get(kind, []):
            header = datagram[:40]
            plain = exchange.privacy(value[sender], value[other[sender]], header, datagram[40:], True)
            body, padding = split_padding(plain)
            verification, digest, at = read_vpi(body, 0)
            attributes = body[at:]
            data = header + verifications[sender] + verifications[other[sender]] + attributes + padding
            # 6.3: the Validity-Method of the scheme with the verification-key of the identification
            assert IPMAC(exchange.hash, keys_of[sender][1], data) == digest, "Verification of %d" % kind
            if kind == 9:
                spi = struct.unpack_from(">I", datagram, 36)[0]
                keys = exchange.session_keys(secret[sender], secret[other[sender]], verification, attributes, lengths)
                derived.append({"owner": sender, "spi": spi, "keys": keys})
    assert derived == record["spis"], "session keys: %r, recorded %r" % (derived, record["spis"])


# ---- playing a side --------------------------------------------------------------------------------------------------


def send(datagram):
    print(datagram.hex(), flush=True)


def receive():
    return bytes.fromhex(sys.stdin.readline().strip())


def pad(open_octets):
    """OpenBSD's amount: up to a multiple of 16 and at least 8 (RFC 2522 wants 128; any 8 to 255 must do)."""
    count = -open_octets % 16
    return bytes(range(1, (count if count >= 8 else count + 16) + 1))


class Player:
    def __init__(self, config):
        self.config = config
        self.secret = {True: config["secret"].encode(), False: config["peerSecret"].encode()}
        self.x = number(bytes.fromhex(config["exponent"]))
        self.offered = bytes.fromhex(config["offeredAttributes"])
        self.choices = bytes.fromhex(config["attributeChoices"])

    def group(self, generator, modulus):
        self.g, self.p = number(generator), number(modulus)
        self.value = VPI(minimal(pow(self.g, self.x, self.p)), self.p.bit_length())

    def agree(self, scheme, icookie, rcookie, peer_value):
        shared = minimal(pow(number(peer_value[2:]), self.x, self.p))
        self.exchange = Exchange(scheme, icookie, rcookie, shared)
        self.peer_value = peer_value

    def identity(self, kind, spi, request_verification):
        header = self.exchange.icookie + self.exchange.rcookie + bytes([kind]) + b"\0\x02\x58" + struct.pack(">I", spi)
        choice = bytes([self.config["identityChoice"], 0])
        hash_name = IDENTITY[choice[0]]
        name = self.config["name"].encode() + b"\0"
        identification = VPI(name, 8 * len(name))
        key = HASH[hash_name](self.secret[True] + self.exchange.shared)
        size = {"MD5": 16, "SHA1": 20, "RIPEMD-160": 20}[hash_name]
        content = len(choice) + len(identification) + 2 + size + len(self.choices)
        padding = pad(content)
        data = identity_data(
            header, choice, identification, request_verification, self.choices, padding, self.own, self.peer, self.schemes
        )
        self.verification = VPI(IPMAC(hash_name, key, data), 8 * size)
        self.verification_key = key
        plain = choice + identification + self.verification + self.choices + padding
        send(header + self.exchange.privacy(self.value, self.peer_value, header, plain, False))
        return self.exchange.session_keys(
            self.secret[True], self.secret[False], self.verification, self.choices, self.config["keyOctets"]
        )

    def check_identity(self, datagram, request_verification):
        header = datagram[:40]
        plain = self.exchange.privacy(self.peer_value, self.value, header, datagram[40:], True)
        choice, identification, name, verification, digest, attributes, padding = parse_identity(plain)
        hash_name = IDENTITY[choice[0]]
        key = HASH[hash_name](self.secret[False] + self.exchange.shared)
        data = identity_data(
            header, choice, identification, request_verification, attributes, padding, self.peer, self.own, self.schemes
        )
        assert IPMAC(hash_name, key, data) == digest, "Verification"
        self.peer_verification = verification
        spi = struct.unpack_from(">I", datagram, 36)[0]
        keys = self.exchange.session_keys(
            self.secret[False], self.secret[True], verification, attributes, self.config["keyOctets"]
        )
        return spi, keys

    def spi_update(self, spi):
        """RFC 2522 6.2 and 6.3."""
        header = self.exchange.icookie + self.exchange.rcookie + b"\x09" + b"\0\x02\x58" + struct.pack(">I", spi)
        size = 20 if self.exchange.hash == "SHA1" else 16
        padding = pad(2 + size + len(self.choices))
        data = header + self.verification + self.peer_verification + self.choices + padding
        method = IPMAC if self.config["keyfill"] else IPMAC_without_keyfill
        verification = VPI(method(self.exchange.hash, self.verification_key, data), 8 * size)
        plain = verification + self.choices + padding
        send(header + self.exchange.privacy(self.value, self.peer_value, header, plain, False))
        return self.exchange.session_keys(
            self.secret[True], self.secret[False], verification, self.choices, self.config["keyOctets"]
        )


def play_initiator(config):
    me = Player(config)
    icookie = bytes.fromhex(config["cookie"])
    send(icookie + bytes(16) + b"\0\0")
    answer = receive()
    assert answer[32] == 1, "Cookie_Response"
    rcookie, counter, me.schemes = answer[16:32], answer[33], answer[34:]
    me.group(bytes.fromhex(config["generator"]), bytes.fromhex(config["modulus"]))
    TBV = bytes([counter]) + struct.pack(">H", config["scheme"])
    send(icookie + rcookie + b"\x02" + TBV + me.value + me.offered)
    answer = receive()
    assert answer[32] == 3, "Value_Response"
    peer_value, _, at = read_vpi(answer, 36)
    me.agree(config["scheme"], icookie, rcookie, peer_value)
    me.own = (TBV, me.value, me.offered)
    me.peer = (answer[33:36], peer_value, answer[at:])
    own_keys = me.identity(4, config["spi"], b"")
    answer = receive()
    assert answer[32] == 7, "Identity_Response"
    peer_spi, peer_keys = me.check_identity(answer, me.verification)
    update_keys = me.spi_update(config["spi"] + 1)
    print(json.dumps({"own": own_keys, "update": update_keys, "peerSpi": peer_spi, "peer": peer_keys}), flush=True)


def play_responder(config):
    me = Player(config)
    me.schemes = bytes.fromhex(config["offeredSchemes"])
    request = receive()
    assert request[32] == 0, "Cookie_Request"
    icookie, rcookie = request[:16], bytes.fromhex(config["cookie"])
    send(icookie + rcookie + b"\x01\x01" + me.schemes)
    request = receive()
    assert request[32] == 2 and request[33] == 1, "Value_Request"
    scheme = struct.unpack_from(">H", request, 34)[0]
    assert scheme == config["scheme"], "scheme"
    me.group(bytes.fromhex(config["generator"]), bytes.fromhex(config["modulus"]))
    peer_value, _, at = read_vpi(request, 36)
    me.peer = (request[33:36], peer_value, request[at:])
    me.own = (b"\0\0\0", me.value, me.offered)
    send(icookie + rcookie + b"\x03\0\0\0" + me.value + me.offered)
    me.agree(scheme, icookie, rcookie, peer_value)
    peer_spi, peer_keys = me.check_identity(receive(), b"")
    own_keys = me.identity(7, config["spi"], me.peer_verification)
    update_keys = me.spi_update(config["spi"] + 1)
    print(json.dumps({"own": own_keys, "update": update_keys, "peerSpi": peer_spi, "peer": peer_keys}), flush=True)


if __name__ == "__main__":
    mode, argument = sys.argv[1:3]
    if mode == "check":
        with open(argument) as file:
            check(json.load(file))
        print("ok")
    else:
        {"initiator": play_initiator, "responder": play_responder}[mode](json.loads(argument))
