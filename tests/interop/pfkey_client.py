"""A PF_KEY v2 client of its own (RFC 2367 and OpenBSD's numbers, standard library alone) that puts an engine to the test.

    pfkey_client.py SOCKET OWN-ADDRESS PEER-ADDRESS

Each check is one function; what fails is printed, and the last line tells how many checks there were.
"""
import os
import random
import socket
import struct
import sys
import time

PATH, OWN, PEER = sys.argv[1:4]
GETSPI, UPDATE, ADD, DELETE, GET, ACQUIRE, REGISTER, EXPIRE, FLUSH, DUMP = range(1, 11)
PROMISC, ADDFLOW, DELFLOW, GRPSPIS, ASKPOLICY = range(11, 16)
AH, ESP, IPIP, TCPSIGNATURE, IPCOMP = 1, 2, 7, 8, 9
(X_SA, CURRENT, HARD, SOFT, SRC, DST, PROXY, KEY_AUTH, KEY_ENCRYPT, ID_SRC, ID_DST, SENSITIVITY, PROPOSAL, SUP_AUTH,
 SUP_ENCRYPT, SPIRANGE, SRC_MASK, DST_MASK, PROTOCOL, FLOW_TYPE, SRC_FLOW, DST_FLOW, SA2, DST2, POLICY) = range(1, 26)
LARVAL, MATURE, DYING, DEAD = range(4)
SHA1, TRIPLE_DES, MD5 = 3, 3, 2
ESRCH, EEXIST, EINVAL, EOPNOTSUPP = 3, 17, 22, 95


def ext(number, body, words=None):
    """An extension; `words` is what its length field says when that is a lie."""
    body += bytes(-(len(body) + 4) % 8)
    return struct.pack("<HH", (len(body) + 4) // 8 if words is None else words, number) + body


def address(number, text, port=0):
    family = 10 if ":" in text else 2
    raw = socket.inet_pton(socket.AF_INET6 if family == 10 else socket.AF_INET, text)
    if family == 2:
        sockaddr = struct.pack("<H", 2) + struct.pack(">H", port) + raw + bytes(8)
    else:
        sockaddr = struct.pack("<H", 10) + struct.pack(">HI", port, 0) + raw + bytes(4) + bytes(4)
    return ext(number, bytes(4) + sockaddr)


def sa(spi, state=MATURE, auth=SHA1, encrypt=TRIPLE_DES, flags=0, replay=0, number=X_SA):
    return ext(number, struct.pack(">I", spi) + struct.pack("<BBBBI", replay, state, auth, encrypt, flags))


def lifetime(number, allocations=0, octets=0, add=0, use=0):
    return ext(number, struct.pack("<IQQQ", allocations, octets, add, use))


def key(number, octets, bits=None):
    return ext(number, struct.pack("<HH", 8 * len(octets) if bits is None else bits, 0) + octets)


def triple_des(seed=1):
    return bytes((seed * 31 + 7 * i + i * i) & 0xff for i in range(24))


def keys(seed=1):
    return key(KEY_ENCRYPT, triple_des(seed)) + key(KEY_AUTH, bytes(range(seed, seed + 20)))


def ends(source, destination):
    return address(SRC, source) + address(DST, destination)


def flow(destination, kind=3, direction=2, peer=PEER, own=OWN):
    mask = "255.255.255.255"
    return (address(DST, peer) + address(SRC, own) + ext(PROTOCOL, struct.pack("<BBBB", 0, 0, 0, 0)) +
            ext(FLOW_TYPE, struct.pack("<BBBB", kind, direction, 1, 0)) + address(SRC_FLOW, own) +
            address(DST_FLOW, destination) + address(SRC_MASK, mask) + address(DST_MASK, mask))


class Message:
    def __init__(self, octets):
        (self.version, self.type, self.errno, self.satype, self.words, self.reserved, self.seq,
         self.pid) = struct.unpack_from("<BBBBHHII", octets)
        self.octets, self.ext, self.order = octets, {}, []
        at = 16
        while self.type != PROMISC and at < len(octets):
            words, number = struct.unpack_from("<HH", octets, at)
            assert words and at + 8 * words <= len(octets), "an answer whose extension is longer than it"
            assert number not in self.ext, "an answer with an extension twice"
            self.ext[number] = octets[at + 4:at + 8 * words]
            self.order.append(number)
            at += 8 * words

    def sa(self):
        spi, = struct.unpack_from(">I", self.ext[X_SA])
        return (spi,) + struct.unpack_from("<BBBBI", self.ext[X_SA], 4)

    def lifetime(self, number):
        return struct.unpack_from("<IQQQ", self.ext[number])


class Client:
    count = 0

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(PATH)
        self.buffer, self.heard, self.seq = b"", [], 0
        Client.count += 1
        self.pid = 70000 + Client.count

    def frame(self, kind, satype, body=b"", seq=None, errno=0, words=None, version=2, reserved=0, pid=None):
        if seq is None:
            self.seq += 1
            seq = 0x10000 * Client.count + self.seq
        size = (16 + len(body)) // 8 if words is None else words
        head = struct.pack("<BBBBHHII", version, kind, errno, satype, size, reserved, seq, pid or self.pid)
        return seq, head + body

    def send(self, *args, **named):
        seq, octets = self.frame(*args, **named)
        self.socket.sendall(octets)
        return seq

    def receive(self, seconds=5.0):
        """The next message; None when none comes, False at the end of the stream."""
        end = time.monotonic() + seconds
        while True:
            if len(self.buffer) >= 16:
                size = 8 * struct.unpack_from("<H", self.buffer, 4)[0]
                if len(self.buffer) >= size:
                    octets, self.buffer = self.buffer[:size], self.buffer[size:]
                    return Message(octets)
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                octets = self.socket.recv(65536)
            except socket.timeout:
                return None
            if not octets:
                return False
            self.buffer += octets

    def wait(self, wanted, seconds=5.0):
        end = time.monotonic() + seconds
        for at, message in enumerate(self.heard):
            if wanted(message):
                return self.heard.pop(at)
        while time.monotonic() < end:
            message = self.receive(end - time.monotonic())
            if not message:
                return message
            if wanted(message):
                return message
            self.heard.append(message)
        return None

    def ask(self, kind, satype, body=b"", **named):
        seq = self.send(kind, satype, body, **named)
        answer = self.wait(lambda m: m.type == kind and m.seq == seq and m.pid == self.pid)
        assert answer, f"no answer to type {kind}"
        return answer

    def ok(self, kind, satype, body=b"", **named):
        answer = self.ask(kind, satype, body, **named)
        assert answer.errno == 0, f"type {kind}: errno {answer.errno}"
        return answer

    def refused(self, why, kind, satype, body=b"", **named):
        answer = self.ask(kind, satype, body, **named)
        assert answer.errno == why, f"type {kind}: errno {answer.errno} instead of {why}"
        assert answer.words == 2 and len(answer.octets) == 16, "a refusal is more than the base header"
        return answer

    def settle(self):
        """Returns when the engine knows of this client."""
        self.ok(FLUSH, AH)


CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def add(client, spi, source=OWN, destination=PEER, **named):
    return client.ok(ADD, ESP, sa(spi, **named) + ends(source, destination) + keys())


@check
def register_lists_algorithms_with_sound_lengths():
    c = Client()
    answer = c.ok(REGISTER, ESP)
    for number, known in ((SUP_AUTH, {2: (128, 128), 3: (160, 160)}),
                          (SUP_ENCRYPT, {2: (64, 64), 3: (192, 192), 11: (0, 0), 12: (128, 256)})):
        body = answer.ext[number][4:]
        rows = [struct.unpack_from("<BBHHH", body, at) for at in range(0, len(body), 8)]
        lengths = {row[0]: (row[2], row[3]) for row in rows}
        for algorithm, bits in known.items():
            assert lengths[algorithm] == bits, f"algorithm {algorithm}: {lengths[algorithm]}"
        assert all(row[2] <= row[3] and row[4] == 0 for row in rows)
    c.refused(EOPNOTSUPP, REGISTER, IPCOMP)
    c.refused(EOPNOTSUPP, REGISTER, TCPSIGNATURE)


@check
def add_is_told_to_everyone_without_keys_and_get_gives_them_to_the_requester_alone():
    c, other = Client(), Client()
    other.settle()
    answer = add(c, 0x2000, flags=4, replay=0)
    assert answer.order == sorted(answer.order), "extensions are not in ascending order"
    told = other.wait(lambda m: m.type == ADD and m.sa()[0] == 0x2000)
    for message in (answer, told):
        assert KEY_AUTH not in message.ext and KEY_ENCRYPT not in message.ext, "keys went back"
        assert triple_des() not in message.octets
    got = c.ok(GET, ESP, sa(0x2000) + ends(OWN, PEER))
    assert got.ext[KEY_ENCRYPT][4:28] == triple_des() and struct.unpack_from("<H", got.ext[KEY_ENCRYPT])[0] == 192
    assert got.ext[KEY_AUTH][4:24] == bytes(range(1, 21))
    assert got.sa() == (0x2000, 0, MATURE, SHA1, TRIPLE_DES, 4), got.sa()
    allocations, octets, added, used = got.lifetime(CURRENT)
    assert (allocations, octets, used) == (0, 0, 0) and abs(added - time.time()) < 3, (allocations, octets, added, used)
    assert other.wait(lambda m: m.type == GET, 0.2) is None, "GET went to others"
    c.refused(EEXIST, ADD, ESP, sa(0x2000) + ends(OWN, PEER) + keys(2))
    c.ok(DELETE, ESP, sa(0x2000) + address(DST, PEER))
    assert other.wait(lambda m: m.type == DELETE and m.sa()[0] == 0x2000)
    for kind, body in ((GET, ends(OWN, PEER)), (DELETE, address(DST, PEER)), (UPDATE, ends(OWN, PEER) + keys())):
        c.refused(ESRCH, kind, ESP, sa(0x2000) + body)


@check
def the_same_spi_may_serve_another_destination_or_protocol():
    c = Client()
    add(c, 0x2001)
    add(c, 0x2001, PEER, OWN)
    c.ok(ADD, ESP, sa(0x2001) + ends("fd00::1", "fd00::2") + keys())
    c.refused(EOPNOTSUPP, ADD, AH, sa(0x2001, encrypt=0) + ends(OWN, PEER) + key(KEY_AUTH, bytes(range(20))))
    c.ok(FLUSH, ESP)
    c.refused(ESRCH, GET, ESP, sa(0x2001) + ends(OWN, PEER))


@check
def getspi_reserves_and_update_fills():
    c, other = Client(), Client()
    other.settle()
    wanted = ext(SPIRANGE, struct.pack("<III", 0x3000, 0x3000, 0))
    answer = c.ok(GETSPI, ESP, ends(PEER, OWN) + wanted)
    assert answer.sa()[0] == 0x3000 and answer.sa()[2] == LARVAL
    assert other.wait(lambda m: m.type == GETSPI and m.sa()[0] == 0x3000)
    c.refused(EEXIST, GETSPI, ESP, ends(PEER, OWN) + wanted)
    c.refused(EEXIST, ADD, ESP, sa(0x3000) + ends(PEER, OWN) + keys())
    done = c.ok(UPDATE, ESP, sa(0x3000) + ends(PEER, OWN) + keys() + lifetime(HARD, add=100))
    assert KEY_AUTH not in done.ext
    got = c.ok(GET, ESP, sa(0x3000) + ends(PEER, OWN))
    assert got.sa()[2] == MATURE and got.lifetime(HARD)[2] == 100
    c.ok(UPDATE, ESP, sa(0x3000, auth=0, encrypt=0) + ends(PEER, OWN) + lifetime(HARD, add=200))
    assert c.ok(GET, ESP, sa(0x3000) + ends(PEER, OWN)).lifetime(HARD)[2] == 200
    c.refused(EINVAL, UPDATE, ESP, sa(0x3000) + ends(PEER, OWN) + keys(3))
    c.refused(EINVAL, UPDATE, ESP, sa(0x3000, auth=MD5) + ends(PEER, OWN))
    c.refused(EINVAL, GETSPI, ESP, ends(PEER, OWN) + ext(SPIRANGE, struct.pack("<III", 0, 255, 0)))
    c.refused(EINVAL, GETSPI, ESP, ends(PEER, OWN) + ext(SPIRANGE, struct.pack("<III", 0x3001, 0x3000, 0)))
    some = {c.ok(GETSPI, ESP, ends(PEER, OWN) + ext(SPIRANGE, struct.pack("<III", 0x4000, 0x4003, 0))).sa()[0]
            for _ in range(4)}
    assert some == {0x4000, 0x4001, 0x4002, 0x4003}, some
    c.refused(EEXIST, GETSPI, ESP, ends(PEER, OWN) + ext(SPIRANGE, struct.pack("<III", 0x4000, 0x4003, 0)))
    c.ok(FLUSH, 0)


@check
def dump_gives_one_message_an_sa_and_ends_with_sequence_number_0():
    c, other = Client(), Client()
    empty = c.wait(lambda m: m.type == DUMP) if c.send(DUMP, ESP) else None
    assert empty and empty.seq == 0 and empty.words == 2, "a dump of nothing is not the base header alone"
    for spi in range(0x5000, 0x5032):
        add(c, spi)
    other.heard.clear()
    seq = c.send(DUMP, ESP)
    rows = []
    while not rows or rows[-1].seq:
        rows.append(c.wait(lambda m: m.type == DUMP))
    assert [row.sa()[0] for row in rows] == list(range(0x5000, 0x5032))
    assert all(row.seq == seq for row in rows[:-1]) and all(row.pid == c.pid for row in rows)
    assert not any(KEY_ENCRYPT in row.ext or KEY_AUTH in row.ext for row in rows), "a dump holds keys"
    assert other.wait(lambda m: m.type == DUMP, 0.2) is None, "a dump went to others"
    c.ok(FLUSH, AH)
    assert c.ok(GET, ESP, sa(0x5000) + ends(OWN, PEER)).words
    c.ok(FLUSH, ESP)
    assert other.wait(lambda m: m.type == FLUSH and m.satype == ESP)
    c.refused(ESRCH, GET, ESP, sa(0x5000) + ends(OWN, PEER))


@check
def lifetimes_expire_softly_then_hard():
    c, other = Client(), Client()
    other.settle()
    c.ok(ADD, ESP, sa(0x6000) + ends(OWN, PEER) + keys() + lifetime(HARD, add=2) + lifetime(SOFT, add=1))
    c.ok(ADD, ESP, sa(0x6001) + ends(OWN, PEER) + keys() + lifetime(HARD, add=1) + lifetime(SOFT, add=1))
    for client in (c, other):
        of = lambda spi, kind: lambda m: m.type == EXPIRE and m.sa()[0] == spi and kind in m.ext
        soft = client.wait(of(0x6000, SOFT))
        assert soft and soft.pid == 0 and soft.sa()[2] == DYING and HARD not in soft.ext and CURRENT in soft.ext
        hard = client.wait(of(0x6000, HARD))
        assert hard and hard.sa()[2] == DEAD and hard.lifetime(HARD)[2] == 2
        assert client.wait(of(0x6001, HARD)), "no hard EXPIRE where soft and hard are the same"
        assert client.wait(of(0x6001, SOFT), 0.1) is None, "a soft EXPIRE though hard came with it"
    c.refused(ESRCH, GET, ESP, sa(0x6000) + ends(OWN, PEER))


@check
def a_packet_without_sa_asks_those_who_registered():
    c, unregistered = Client(), Client()
    unregistered.settle()
    c.ok(REGISTER, ESP)
    c.ok(ADDFLOW, ESP, flow(PEER))
    c.ok(ADDFLOW, ESP, flow(PEER))  # the same again takes its place
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(5):
        datagram.sendto(b"knock", (PEER, 7))
    asked = c.wait(lambda m: m.type == ACQUIRE)
    assert asked and asked.pid == 0 and asked.satype == ESP and asked.seq, "no ACQUIRE"
    assert asked.ext[DST][8:12] == socket.inet_aton(PEER) and PROPOSAL in asked.ext
    assert unregistered.wait(lambda m: m.type == ACQUIRE, 0.3) is None
    assert c.wait(lambda m: m.type == ACQUIRE, 0.3) is None, "the same was asked twice"
    policy = c.ok(ASKPOLICY, 0, ext(POLICY, struct.pack("<I", asked.seq)))
    assert policy.ext[DST_FLOW][8:12] == socket.inet_aton(PEER)
    c.refused(ESRCH, ASKPOLICY, 0, ext(POLICY, struct.pack("<I", 0xfffffff0)))
    c.ok(GETSPI, ESP, ends(PEER, OWN) + ext(SPIRANGE, struct.pack("<III", 0x7000, 0x7000, 0)), seq=asked.seq)
    c.ok(ADD, ESP, sa(0x7001) + ends(OWN, PEER) + keys(), seq=asked.seq)
    c.send(ACQUIRE, ESP, seq=asked.seq, errno=110)  # as a key daemon that fails would
    c.refused(ESRCH, DELFLOW, ESP, ext(PROTOCOL, bytes(4)) + flow("192.0.2.99")[len(ends(OWN, PEER)) + 8:])
    c.ok(FLUSH, 0)
    c.refused(ESRCH, DELFLOW, ESP, flow(PEER)[len(ends(OWN, PEER)):])


@check
def two_sas_become_a_bundle_and_a_circle_is_refused():
    c = Client()
    pair = lambda a, b: (sa(a) + address(DST, PEER) + sa(b, number=SA2) + address(DST2, PEER) +
                         ext(PROTOCOL, struct.pack("<BBBB", ESP, 0, 0, 0)))
    add(c, 0x8000)
    add(c, 0x8001)
    c.ok(GRPSPIS, ESP, pair(0x8000, 0x8001))
    c.refused(ESRCH, GRPSPIS, ESP, pair(0x8001, 0x8000))
    c.refused(ESRCH, GRPSPIS, ESP, pair(0x8000, 0x8009))
    c.ok(FLUSH, 0)


@check
def malformed_messages_are_refused_and_the_connection_goes_on():
    c = Client()
    good = sa(0x9000) + ends(OWN, PEER) + keys()
    bad = [
        ("an extension twice", ADD, good + sa(0x9000)),
        ("an unknown extension", ADD, good + ext(99, bytes(4))),
        ("extension 0", ADD, good + ext(0, bytes(4))),
        ("an extension that another message has", ADD, good + ext(POLICY, bytes(4))),
        ("an extension of length 0", ADD, good + ext(HARD, bytes(28), words=0)),
        ("an extension longer than the rest", ADD, good + ext(HARD, bytes(28), words=40)),
        ("a lifetime too short", ADD, good + ext(HARD, bytes(20))),
        ("a lifetime too long", ADD, good + ext(HARD, bytes(36))),
        ("no destination", ADD, sa(0x9000) + address(SRC, OWN) + keys()),
        ("no SA", ADD, ends(OWN, PEER) + keys()),
        ("no keys", ADD, sa(0x9000) + ends(OWN, PEER)),
        ("a key of 0 bits", ADD, sa(0x9000) + ends(OWN, PEER) + key(KEY_ENCRYPT, b"", bits=0) + key(KEY_AUTH, bytes(20))),
        ("a key longer than its bits", ADD, sa(0x9000) + ends(OWN, PEER) + key(KEY_ENCRYPT, bytes(40), bits=192)),
        ("a key shorter than its bits", ADD, sa(0x9000) + ends(OWN, PEER) + key(KEY_ENCRYPT, bytes(8), bits=65528)),
        ("a key of a length that 3DES has not", ADD,
         sa(0x9000) + ends(OWN, PEER) + key(KEY_ENCRYPT, bytes(range(16))) + key(KEY_AUTH, bytes(20))),
        ("a larval SA", ADD, sa(0x9000, state=LARVAL) + ends(OWN, PEER) + keys()),
        ("a dead SA", ADD, sa(0x9000, state=DEAD) + ends(OWN, PEER) + keys()),
        ("a state that does not exist", ADD, sa(0x9000, state=9) + ends(OWN, PEER) + keys()),
        ("an unknown cipher", ADD, sa(0x9000, encrypt=77) + ends(OWN, PEER) + keys()),
        ("an unknown authenticator", ADD, sa(0x9000, auth=177) + ends(OWN, PEER) + keys()),
        ("a reserved SPI", ADD, sa(255) + ends(OWN, PEER) + keys()),
        ("SPI 0", ADD, sa(0) + ends(OWN, PEER) + keys()),
        ("two address families", ADD, sa(0x9000) + ends(OWN, "fd00::1") + keys()),
        ("a port in an address", ADD, sa(0x9000) + address(SRC, OWN) + address(DST, PEER, 7) + keys()),
        ("an address family that does not exist", ADD,
         sa(0x9000) + address(SRC, OWN) + ext(DST, bytes(4) + b"\x63\0" + bytes(14)) + keys()),
        ("an IPv6 address in the room of an IPv4 one", ADD,
         sa(0x9000) + address(SRC, OWN) + ext(DST, bytes(4) + b"\x0a\0" + bytes(14)) + keys()),
        ("an address with the reserved field set", ADD,
         sa(0x9000) + address(SRC, OWN) + ext(DST, b"\1\0\0\0\2\0\0\0" + bytes(12)) + keys()),
        ("an EXPIRE without addresses", EXPIRE, sa(0x9000)),
        ("a SPIRANGE in an ADD", ADD, good + ext(SPIRANGE, bytes(12))),
        ("an identity without its end", ADD, good + ext(ID_SRC, struct.pack("<HHQ", 2, 0, 0) + b"abcdefgh")),
        ("an identity of a type that does not exist", ADD, good + ext(ID_SRC, struct.pack("<HHQ", 77, 0, 0) + b"a\0\0\0\0\0\0\0")),
        ("a flow of a type that does not exist", ADDFLOW, flow(PEER, kind=9)),
        ("a flow of a direction that does not exist", ADDFLOW, flow(PEER, direction=3)),
        ("a FLUSH with an extension", FLUSH, sa(0x9000)),
        ("a REGISTER with an extension", REGISTER, sa(0x9000)),
        ("a type that does not exist", 99, b""),
        ("type 0", 0, b""),
    ]
    for name, kind, body in bad:
        try:
            c.refused(EINVAL, kind, ESP, body)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}")
    c.refused(EINVAL, ADD, 99, good)
    c.refused(EINVAL, DUMP, ESP, reserved=1)
    c.refused(EINVAL, FLUSH, ESP, errno=1)
    c.send(DUMP, ESP, pid=c.pid + 1000)  # each program uses its own
    assert c.wait(lambda m: m.type == DUMP and m.errno == EINVAL), "another program's pid was taken"
    c.refused(ESRCH, GET, ESP, sa(0x9000) + ends(OWN, PEER))
    assert c.ask(DUMP, ESP, seq=0).errno == 0
    assert c.ok(REGISTER, ESP)


@check
def rubbish_ends_a_connection_and_no_other():
    bystander = Client()
    bystander.ok(FLUSH, ESP)
    for octets in (b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 64, struct.pack("<BBBBHHII", 2, DUMP, 0, ESP, 1, 0, 1, 1),
                   struct.pack("<BBBBHHII", 1, DUMP, 0, ESP, 2, 0, 1, 1)):
        c = Client()
        c.socket.sendall(octets)
        answer = c.receive()
        while answer:
            assert answer.errno == EINVAL
            answer = c.receive()
        assert answer is False, "the connection stays open"
    half = Client()
    half.socket.sendall(half.frame(DUMP, ESP)[1][:9])
    half.socket.close()
    slow = Client()
    for octet in slow.frame(DUMP, ESP, seq=77)[1]:
        slow.socket.sendall(bytes([octet]))
    assert slow.wait(lambda m: m.type == DUMP), "a message that drips in is lost"
    assert bystander.ok(FLUSH, ESP)


@check
def mutated_messages_never_end_the_engine():
    draw = random.Random(2367)
    bodies = [(ADD, sa(0xa000) + ends(OWN, PEER) + keys() + lifetime(HARD, add=9)), (GET, sa(0xa000) + ends(OWN, PEER)),
              (ADDFLOW, flow("192.0.2.1", kind=1)), (DELETE, sa(0xa000) + address(DST, PEER)), (ACQUIRE, ends(OWN, PEER)),
              (GETSPI, ends(PEER, OWN) + ext(SPIRANGE, struct.pack("<III", 256, 99999, 0))), (ASKPOLICY, ext(POLICY, bytes(4)))]
    c = Client()
    for round in range(1500):
        kind, body = draw.choice(bodies)
        body = bytearray(body)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(body))
            change = draw.randrange(4)
            if change == 0:
                body[at] = draw.randrange(256)
            elif change == 1:
                body[at] ^= 1 << draw.randrange(8)
            elif change == 2 and len(body) > 16:
                del body[at & ~7:(at & ~7) + 8]
            else:
                body[at & ~7:at & ~7] = body[at & ~7:(at & ~7) + 8 * draw.randint(1, 3)]
        c.send(kind, draw.choice((ESP, ESP, AH, 0, IPIP, 200)), bytes(body))
        if round % 50 == 0:
            assert c.ask(0xc8 + 1, 0).errno == 0, "the engine no longer answers"
            c.heard.clear()
    c.ok(FLUSH, 0)
    assert c.ok(DUMP, 0, seq=0).words == 2, "something is left after a flush"


failed = 0
for each in CHECKS:
    try:
        each()
    except Exception as error:
        failed += 1
        print(f"{each.__name__}: {type(error).__name__}: {error} (line {error.__traceback__.tb_next and error.__traceback__.tb_next.tb_lineno})")
print(f"{len(CHECKS)} checks, {failed} failed")
sys.exit(1 if failed else 0)
