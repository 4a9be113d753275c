"""Encrypts and decrypts packets with scapy's IPsec layer: a JSON list of jobs on stdin, a JSON list of results out."""
import json
import sys
import warnings

warnings.simplefilter("ignore")
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH, ESP, SecurityAssociation


def run(job):
    outer = None
    if job["tunnel"]:
        cls = IP if job["family"] == 4 else IPv6
        outer = cls(src=job["source"], dst=job["destination"])
    sa = SecurityAssociation(
        ESP if job["protocol"] == 50 else AH,
        spi=job["spi"],
        seq_num=job["sequence"],
        crypt_algo=job["cipher"],
        crypt_key=bytes.fromhex(job["cipherKey"]) if job["cipher"] else None,
        auth_algo=job["mac"],
        auth_key=bytes.fromhex(job["macKey"]) if job["mac"] else None,
        tunnel_header=outer,
        nat_t_header=UDP(sport=4500, dport=4500) if job["udp"] else None,
    )
    octets = bytes.fromhex(job["packet"])
    packet = (IP if octets[0] >> 4 == 4 else IPv6)(octets)
    return bytes(sa.encrypt(packet) if job["encrypt"] else sa.decrypt(packet)).hex()


def attempt(job):
    try:
        return {"packet": run(job)}
    except Exception as error:
        return {"error": "%s: %s" % (type(error).__name__, error)}


json.dump([attempt(job) for job in json.load(sys.stdin)], sys.stdout)
