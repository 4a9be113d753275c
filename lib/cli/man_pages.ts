/** The manual pages as plain text; made by scripts/man.ts from docs/man. @module */

/** A page by file name; `source` is the digest of the page it was made from. */
export const MAN_PAGES: Readonly<Record<string, { readonly source: string; readonly text: string }>> = {
  "certpatch.8": {
    source: "199322d63905a3c1",
    text: `CERTPATCH(8)                System Manager's Manual               CERTPATCH(8)

NAME
     certpatch – put a subjectAltName into a certificate

SYNOPSIS
     certpatch [-t ip|fqdn|ufqdn] -i identity -k signing-key input-cert
               output-cert

DESCRIPTION
     Puts an identity into a certificate as its subjectAltName, critical, in
     place of one that is there, and signs it anew with the hash of its former
     signature.  isakmpd accepts a certificate for the identity that it
     carries and for no other.

     -t TYPE
             what the identity is: an address (ip, the default), a domain name
             (fqdn) or a user in one (ufqdn); upper and lower case do not
             matter

     -i ID   the identity.  Several may be given, each with a -t of its own or
             one -t for all

     -k KEY  the private key of the authority that issued the certificate,
             PEM.  It is not checked that it is: sign with another key and the
             certificate is worth nothing

     Both certificates are PEM; they may be the same file.

     example:

           certpatch -t fqdn -i home.mysite.se -k ca.key originalcert.crt newcert.crt

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Make a certificate that isakmpd accepts for an address:

           certpatch -i 192.0.2.1 -k ca.key west.crt west-ip.crt

SEE ALSO
     ipsecbox(8), ipsecbox-pki(8), isakmpd(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecadm.8": {
    source: "87da9afec0c5f776",
    text: `IPSECADM(8)                 System Manager's Manual                IPSECADM(8)

NAME
     ipsecadm – manage SAs and flows by hand

SYNOPSIS
     ipsecadm COMMAND [OPTION ...]
     ipsecadm -f FILE
     ipsecadm help COMMAND

DESCRIPTION
     Manages the security associations (SAs) and flows of the running engine
     ("ipsecbox enc").

     new esp
             add an ESP SA: encryption, authentication or both (RFC 2406)

     old esp
             add an ESP SA in the form of RFC 1827: encryption alone

     new ah  add an AH SA: authentication of the whole packet (RFC 2402)

     old ah  add an AH SA in the form of RFC 1826: a keyed hash

     ip4     add an IP-in-IP SA: a tunnel without security

     group   tie two SAs into a bundle: the first is applied first, the second
             around it

     bind    send replies to what came through the first SA through the second
             one

     delspi  delete one SA

     flow    say which packets are protected, and what happens to the others

     flush   delete all SAs and flows, or all SAs of some types

     show    show SAs and flows

     monitor
             show every PF_KEY message as it passes, until interrupted

     Every option begins with a dash and their order is free.  Success prints
     nothing; an error is one line and exit status 1, and nothing is changed
     then.  Not supported: ipcomp, tcpmd5.

     A host-to-host tunnel takes two SAs and two flows on each host; see
     "ipsecadm help new esp" and "ipsecadm help flow".  "ipsecbox help vpn"
     does it for whole networks.

COMMANDS
   new esp
     Add an ESP SA: encryption, authentication or both (RFC 2406).

     An SA protects one direction: give both hosts this line and a second one
     with -src and -dst exchanged and another SPI.  With -forcetunnel whole
     packets travel inside the SA's packets (tunnel mode); without it, packets
     between the two hosts themselves get no second IP header (transport
     mode), and others do.  "ipsecbox genkey BITS" makes a key.

     options:

     -src ADDRESS
             source of the SA, or our own end of a flow

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -proxy ADDRESS
             inner source that packets arriving through the SA must have

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     -forcetunnel
             put an IP header around every packet, also where source and
             destination are the SA's own

     -enc CIPHER
             cipher; see the table below

     -key HEX
             key of the cipher (AH: of the hash), two digits an octet;
             -keyfile keeps it out of sight

     -keyfile FILE
             the same, from a file that only its owner can read

     -auth HASH
             hash that authenticates; see the table below

     -authkey HEX
             key of the hash

     -authkeyfile FILE
             the same, from a file that only its owner can read

     -udpencap PORT
             put ESP into UDP to this port of the peer (usually 4500; RFC
             3948)

     -srcid TEXT
             our identity for key management; needs -srcid_type

     -srcid_type TYPE
             form of -srcid: prefix, fqdn or ufqdn

     -dstid TEXT
             the peer's identity; needs -dstid_type

     -dstid_type TYPE
             form of -dstid

     ciphers (-enc):

     des     key of 8 octets; weak

           3des               key of 24 octets

     blf     key of 5 to 56 octets

     cast    key of 5 to 16 octets

     skipjack
             key of 10 octets; weak

     aes     key of 16, 24 or 32 octets

     aesctr  key of 20, 28 or 36 octets; a new key for each start

     aes-gcm
             key of 20, 28 or 36 octets, authenticates by itself; a new key
             for each start

     aes-gmac
             key of 20, 28 or 36 octets, authenticates by itself; a new key
             for each start

     chacha20-poly1305
             key of 36 octets, authenticates by itself; a new key for each
             start

     null    no key; with -auth only

     hashes (-auth):

     md5     key of 16 octets; weak

     sha1    key of 20 octets

     rmd160  key of 20 octets

     sha2-256
             key of 32 octets

     sha2-384
             key of 48 octets

     sha2-512
             key of 64 octets

     aes-xcbc
             key of 16 octets

     examples:

           ipsecadm new esp -src 192.168.5.1 -dst 192.168.25.9 -forcetunnel -spi 1000 \\
               -enc 3des -auth sha1 -keyfile /etc/esp-enc-key -authkeyfile /etc/esp-auth-key

   old esp
     Add an ESP SA in the form of RFC 1827: encryption alone.

     Nothing authenticates these packets.  It is for peers that have nothing
     better.

     options:

     -src ADDRESS
             source of the SA, or our own end of a flow

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -proxy ADDRESS
             inner source that packets arriving through the SA must have

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     -forcetunnel
             put an IP header around every packet, also where source and
             destination are the SA's own

     -enc CIPHER
             cipher; see the table below

     -key HEX
             key of the cipher (AH: of the hash), two digits an octet;
             -keyfile keeps it out of sight

     -keyfile FILE
             the same, from a file that only its owner can read

     -halfiv
             initialization vector of 4 octets instead of 8

     ciphers (-enc):

     des     key of 8 octets; weak

           3des  key of 24 octets

     examples:

           ipsecadm old esp -enc 3des -spi 10f3 -src 10.1.1.1 -dst 10.1.1.2 -keyfile /etc/esp-enc-key

   new ah
     Add an AH SA: authentication of the whole packet (RFC 2402).

     AH is off until "ipsecbox sysctl -w net.inet.ah.enable=1".

     options:

     -src ADDRESS
             source of the SA, or our own end of a flow

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -proxy ADDRESS
             inner source that packets arriving through the SA must have

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     -forcetunnel
             put an IP header around every packet, also where source and
             destination are the SA's own

     -auth HASH
             hash that authenticates; see the table below

     -key HEX
             key of the cipher (AH: of the hash), two digits an octet;
             -keyfile keeps it out of sight

     -keyfile FILE
             the same, from a file that only its owner can read

     hashes (-auth):

     md5     key of 16 octets; weak

     sha1    key of 20 octets

     rmd160  key of 20 octets

     sha2-256
             key of 32 octets

     sha2-384
             key of 48 octets

     sha2-512
             key of 64 octets

     aes-xcbc
             key of 16 octets

     aes-gmac
             key of 20, 28 or 36 octets

     examples:

           ipsecadm new ah -auth sha1 -spi 10f4 -src 10.1.1.1 -dst 10.1.1.2 -keyfile /etc/ah-key

   old ah
     Add an AH SA in the form of RFC 1826: a keyed hash.

     md5 and sha1 mean the keyed hashes of RFC 1828 and 1852; the key may have
     any length.

     options:

     -src ADDRESS
             source of the SA, or our own end of a flow

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -proxy ADDRESS
             inner source that packets arriving through the SA must have

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     -forcetunnel
             put an IP header around every packet, also where source and
             destination are the SA's own

     -auth HASH
             hash that authenticates; see the table below

     -key HEX
             key of the cipher (AH: of the hash), two digits an octet;
             -keyfile keeps it out of sight

     -keyfile FILE
             the same, from a file that only its owner can read

     hashes (-auth):

     md5     key of 1 to 256 octets; weak

     sha1    key of 1 to 256 octets; weak

     examples:

           ipsecadm old ah -auth md5 -spi 10f2 -src 10.1.1.1 -dst 10.1.1.2 -keyfile /etc/ah-key

   ip4
     Add an IP-in-IP SA: a tunnel without security.

     The SPI is a handle for flow, group and delspi; it is not in the packets.

     options:

     -src ADDRESS
             source of the SA, or our own end of a flow

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     examples:

           ipsecadm ip4 -src 10.1.1.1 -dst 10.1.1.2 -spi 10f5

   group
     Tie two SAs into a bundle: the first is applied first, the second around
     it.

     This example gives IP AH ESP: the packet is encrypted, then authenticated
     as a whole.

     options:

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     -proto PROTOCOL
             security protocol: esp (default), ah or ip4

     -dst2 ADDRESS
             destination of the second SA

     -spi2 HEX
             SPI of the second SA

     -proto2 PROTOCOL
             security protocol of the second SA: ah (default), esp or ip4

     examples:

           ipsecadm group -dst 10.1.1.2 -spi 1000 -proto esp -dst2 10.1.1.2 -spi2 10f4 -proto2 ah

   bind
     Send replies to what came through the first SA through the second one.

     Of OpenBSD 2.6 and 2.7. The binding ends with either SA.

     options:

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     -proto PROTOCOL
             security protocol: esp (default), ah or ip4

     -dst2 ADDRESS
             destination of the second SA

     -spi2 HEX
             SPI of the second SA

     -proto2 PROTOCOL
             security protocol of the second SA: ah (default), esp or ip4

     examples:

           ipsecadm bind -dst 192.168.5.1 -spi 1001 -proto esp -dst2 192.168.25.9 -spi2 1000 -proto2 esp

   delspi
     Delete one SA.

     Flows stay and look for another SA.

     options:

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     -proto PROTOCOL
             security protocol: esp (default), ah or ip4

     -chain  all SAs that are grouped with it, too

     examples:

           ipsecadm delspi -dst 10.1.1.2 -spi 10f4 -proto ah

   flow
     Say which packets are protected, and what happens to the others.

     -src is our own end and -dst the peer, for both directions; -addr is
     written as the packets are.  Without -dst the packet's own destination
     (for -in: its source) is the peer.  An -in flow is an access list: with
     -require, matching packets that arrive unprotected are dropped.  -spi
     names the SA to use; without it, or when that SA is gone, one is looked
     up by peer and protocol.  A flow with no policy word is -require when
     -spi is given and -use when it is not.  A flow with the same packets and
     direction replaces the one before; the most specific flow wins where
     several match.

     options:

     -addr SOURCE MASK DESTINATION MASK
             the packets that the flow is about; also SOURCE/LENGTH
             DESTINATION/LENGTH

     -transport PROTOCOL
             upper protocol of the packets, by name or number; default any

     -sport PORT
             source port of the packets, by name or number; needs -transport

     -dport PORT
             destination port of the packets; needs -transport

     -out    the flow is about packets that leave (default)

     -in     the flow is about packets that arrive

     -require
             protect; ask key management for an SA and send nothing before
             there is one

     -acquire
             protect; ask key management for an SA and send in the clear until
             there is one

     -use    protect where there is an SA, else send in the clear; never ask

     -dontacq
             protect; send nothing where there is no SA; never ask

     -permit
             let the packets pass as they are

     -bypass
             the same as -permit

     -deny   drop the packets

     -src ADDRESS
             source of the SA, or our own end of a flow

     -dst ADDRESS
             destination of the SA, or the peer of a flow (also of an incoming
             one)

     -proto PROTOCOL
             security protocol: esp (default), ah or ip4

     -spi HEX
             Security Parameter Index, hexadecimal, 100 or more; on a flow:
             the SA to use

     -delete
             remove the flow with these packets and direction

     -srcid TEXT
             our identity for key management; needs -srcid_type

     -srcid_type TYPE
             form of -srcid: prefix, fqdn or ufqdn

     -dstid TEXT
             the peer's identity; needs -dstid_type

     -dstid_type TYPE
             form of -dstid

     examples:

           ipsecadm flow -proto esp -src 208.1.1.1 -dst 208.2.2.2 -spi 1000 \\
               -addr 192.168.99.0 255.255.255.0 208.1.2.0 255.255.255.0 -out -require
           ipsecadm flow -proto esp -src 208.1.1.1 -dst 208.2.2.2 -spi 1001 \\
               -addr 208.1.2.0 255.255.255.0 192.168.99.0 255.255.255.0 -in -require
           ipsecadm flow -bypass -out -addr 10.1.1.0/24 10.1.1.0/24
           ipsecadm flow -deny -in -transport tcp -dport telnet -addr 0.0.0.0/0 10.1.1.0/24
           ipsecadm flow -delete -out -addr 10.1.1.0/24 10.1.1.0/24

   flush
     Delete all SAs and flows, or all SAs of some types.

     With a type, only the SAs of that type are deleted and flows stay.

     options:

     -esp    ESP SAs

     -ah     AH SAs

     -ip4    IP-in-IP SAs

     examples:

           ipsecadm flush
           ipsecadm flush -esp

   show
     Show SAs and flows.

     With a type, only the SAs of that type are shown.  Keys are never shown.

     options:

     -esp    ESP SAs

     -ah     AH SAs

     -ip4    IP-in-IP SAs

     --json  JSON instead of text

     examples:

           ipsecadm show
           ipsecadm show -esp --json

   monitor
     Show every PF_KEY message as it passes, until interrupted.

     Requests, answers, ACQUIREs and EXPIREs of all programs; keys are never
     shown.

     examples:

           ipsecadm monitor

FILES
     /run/ipsecbox/pfkey.sock
             where the engine is asked

     /etc/ipsecbox/rc.conf
             lines of this command that the engine begins with

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     An SA in each direction and the flows that demand it, between two
     networks:

           ipsecbox genkey 160 > /etc/key && chmod 600 /etc/key
           ipsecadm new esp -src 192.0.2.1 -dst 192.0.2.2 -spi 1000 \\
               -forcetunnel -enc aes-gcm -keyfile /etc/key
           ipsecadm flow -proto esp -src 192.0.2.1 -dst 192.0.2.2 \\
               -addr 10.1.0.0/24 10.2.0.0/24 -out -require
           ipsecadm flow -proto esp -src 192.0.2.1 -dst 192.0.2.2 \\
               -addr 10.2.0.0/24 10.1.0.0/24 -in -require

DIAGNOSTICS
     cannot reach the IPsec engine at PATH: start it with "ipsecbox enc"
             No engine runs, or it has another run directory ( IPSECBOX_RUN).

     no permission to use the IPsec engine's socket PATH: only root may
             Run the command as root.

SEE ALSO
     ipsecbox(8), ipsecbox-enc(8), ipsecbox-genkey(8), ipsecbox-kern-ipsec(8),
     ipsecbox-netstat(8), rc.vpn(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-bench.8": {
    source: "94984990d243abd5",
    text: `IPSECBOX-BENCH(8)           System Manager's Manual          IPSECBOX-BENCH(8)

NAME
     ipsecbox-bench – measure what this machine can do: each cipher, and
     tunnels beside none

SYNOPSIS
     ipsecbox bench [--json] [--only crypto|tunnel] [--seconds N]
     ipsecbox bench receive [PORT]
     ipsecbox bench send [--json] [--seconds N] ADDRESS [PORT]

DESCRIPTION
     Measures what this machine can do: what each cipher and authenticator
     costs for packets of 64 and 1400 octets; then, as root, a TCP stream and
     round trips through tunnels between two network namespaces, which it
     makes and removes, beside the same without a tunnel.  It takes about half
     a minute and nothing of it leaves the machine.  Engines of this host are
     not touched.

     --json  figures as JSON

     --only WHAT
             crypto or tunnel

     --seconds N
             length of each stream; ciphers get a hundredth of it for each
             figure (2)

     receive and send measure a way between two machines, with or without a
     tunnel: the one receives TCP streams on PORT (5210) until it is
     interrupted, the other sends one and tells what came; as root, also how
     long an echo takes.

     Everything of a tunnel runs on this machine: two engines, sender and
     receiver.  A gateway that has only one of them to do carries more.

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Half a minute of everything, for a program to read:

           ipsecbox bench --json

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-check.8": {
    source: "3f7a9d83598be2f6",
    text: `IPSECBOX-CHECK(8)           System Manager's Manual          IPSECBOX-CHECK(8)

NAME
     ipsecbox-check – look for faults in an isakmpd.conf, or whether two of
     them agree

SYNOPSIS
     ipsecbox check [-v] FILE [OTHER-FILE]

DESCRIPTION
     With one isakmpd.conf: prints everything that is wrong with it, one line
     each, "FILE:LINE: [SECTION] TAG: what was found, what is allowed".  With
     -v also what the file means.  Nothing is started.  The exit status is 1
     when isakmpd would not start with it; warnings alone are 0.

     With two, those of the two ends: lets them negotiate in memory, each
     connection begun from either side, and prints the SAs they would have, or
     where they first part, with the lines of both files that decide it.  The
     exit status is 0 when every connection comes up.  Policies, certificates
     and keys of signatures are not looked at.

           ipsecbox check VPN-east.conf VPN-west.conf

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Look at one configuration, and whether two agree:

           ipsecbox check -v /etc/isakmpd/isakmpd.conf
           ipsecbox check west.conf east.conf

SEE ALSO
     isakmpd.conf(5), ipsecbox(8), isakmpd(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-completion.8": {
    source: "a45b8b52cf0111e4",
    text: `IPSECBOX-COMPLETION(8)      System Manager's Manual     IPSECBOX-COMPLETION(8)

NAME
     ipsecbox-completion – print a completion script for bash, zsh or fish

SYNOPSIS
     ipsecbox completion bash|zsh|fish

DESCRIPTION
     Prints a script with which the shell completes commands, subcommands,
     options and their arguments, for ipsecbox and for the OpenBSD names.

     bash    ipsecbox completion bash > /usr/share/bash-
             completion/completions/ipsecbox; links to that file under the
             OpenBSD names complete these

     zsh     ipsecbox completion zsh > /usr/share/zsh/vendor-
             completions/_ipsecbox

     fish    ipsecbox completion fish >
             /usr/share/fish/vendor_completions.d/ipsecbox.fish

     For one session of bash: source <(ipsecbox completion bash)

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     For this session of bash, and for all of zsh:

           . <(ipsecbox completion bash)
           ipsecbox completion zsh > ~/.zfunc/_ipsecbox

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-doctor.8": {
    source: "f79fbae9400d8997",
    text: `IPSECBOX-DOCTOR(8)          System Manager's Manual         IPSECBOX-DOCTOR(8)

NAME
     ipsecbox-doctor – find what stops tunnels, and say what to change

SYNOPSIS
     ipsecbox doctor [-c FILE] [-w SECONDS] [--json] [PEER]

DESCRIPTION
     Goes through what stops tunnels in practice and says what to change, each
     with the command: /dev/net/tun, privileges, the engine, switches, ports
     that others have, packet filters, forwarding, reverse-path filters,
     routes, the path to peers and its MTU, flows without SAs and SAs without
     flows, wrong keys, wrong SPIs, one-way traffic, isakmpd's files,
     certificates and the clock.  It listens and probes for a moment, and
     changes nothing.

     PEER    look at one connection only, from end to end: an address of the
             other end or of a host behind it; an echo request is sent to it
             through the tunnel

     -c FILE
             isakmpd's configuration (what the running one reads, or
             /etc/isakmpd/isakmpd.conf)

     -w SECONDS
             listen for so long (1.5)

     --json  findings as JSON

     Prints "ok" and exits with 0 when nothing was found, with 1 when
     something was.

FILES
     /etc/isakmpd/isakmpd.conf
             read, to look for its files and certificates

     /etc/photuris/secrets.conf
             looked at for its mode

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Everything, and one connection from end to end:

           ipsecbox doctor
           ipsecbox doctor 10.2.0.10

DIAGNOSTICS
     ok      Nothing was found.

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-dump.8": {
    source: "04ef1c7570ecfb18",
    text: `IPSECBOX-DUMP(8)            System Manager's Manual           IPSECBOX-DUMP(8)

NAME
     ipsecbox-dump – show packets of ESP, AH, IKE and Photuris, live or from a
     pcap file

SYNOPSIS
     ipsecbox dump [-qtvx] [-c COUNT] [-i INTERFACE | -r FILE] [-w FILE]
              [--sa] [--keys FILE] [FILTER]

DESCRIPTION
     Shows packets of ESP, AH, IKE (with NAT traversal) and Photuris, one a
     line, from an interface or from a pcap file.  On the engine's interface
     (enc0), packets are in clear, and the SA that protects them is named
     where it can be known.

     -c COUNT
             end after so many packets

     -i INTERFACE
             the interface; without it (or "any") all of them, each packet
             with its interface

     -q      no summary at the end

     -r FILE
             read a pcap file (- is standard input)

     -t      no times

     -v      messages of IKE and Photuris in full, payload by payload

     -vv     all fields of IP, ESP and AH, too

     -w FILE
             write the packets to a pcap file instead of showing them (- is
             standard output)

     -x      the octets of each packet in hexadecimal digits

     --sa    ask the engine for its SAs and their keys: decrypt ESP, check
             ICVs

     --keys FILE
             the same with keys from a file: lines of ipsecadm (new esp ...),
             Wireshark's tables esp_sa and ikev1_decryption_table, or the
             directory that isakmpd -W writes; with the last two IKE is
             decrypted, if it is seen from the beginning

     A filter is made of these words, with "and" (which may be left out),
     "or", "not" and parentheses:

           esp  ah  ipip  isakmp  photuris  ipsec (all of these)  icmp  icmp6  tcp  udp  ip  ip6  frag
           [src|dst] host ADDRESS   [src|dst] net PREFIX   [udp|tcp] [src|dst] port NUMBER

     proto NUMBER
             spi NUMBER

     Without a filter, a file and interfaces of TUN devices such as enc0 are
     shown whole, and of other interfaces what "ipsec" means.

           ipsecbox dump -i eth0 esp and host 192.0.2.1
           ipsecbox dump -v udp port 500
           ipsecbox dump --sa spi 0x1000

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     What goes over the wire, what a tunnel holds, and a capture for later:

           ipsecbox dump -i eth0 esp and host 192.0.2.1
           ipsecbox dump --sa -vv -i eth0
           ipsecbox dump -w ike.pcap -i eth0 isakmp
           ipsecbox dump -r ike.pcap -vv -x

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-enc.8": {
    source: "313cfb9776041cc2",
    text: `IPSECBOX-ENC(8)             System Manager's Manual            IPSECBOX-ENC(8)

NAME
     ipsecbox-enc – run the IPsec engine: SAs, flows, ESP and AH, interface
     enc0

SYNOPSIS
     ipsecbox enc [-nv] [-i INTERFACE] [--hold] [--metrics [ADDRESS:]PORT]
              [--mtu OCTETS] [--port PORT] [--workers 1|2]
     ipsecbox enc --open

DESCRIPTION
     Runs the IPsec engine in the foreground: it keeps SAs and flows, moves
     packets through the interface enc0, and answers ipsecadm, isakmpd and
     photurisd on /run/ipsecbox/pfkey.sock (the directory is moved by
     IPSECBOX_RUN).  SIGTERM or SIGINT ends it and removes the interface,
     routes, rules and filters that it made.  When it is killed, cleartext
     that its -require, -deny and -dontacq flows forbid stays held back until
     each flow is given again or "ipsecadm flush" flushes them.

     -i INTERFACE
             name of the interface (enc0)

     -n      check what an engine needs, say what is missing, start nothing

     -v      log more

     --hold  hold such cleartext back after SIGTERM too, as a service that is
             restarted must

     --metrics [ADDRESS:]PORT
             serve counters for Prometheus at /metrics; without ADDRESS to
             this host alone (127.0.0.1)

     --mtu OCTETS
             MTU of the interface; without it the MTU follows the SAs in use

     --open  let go what an engine that is no more holds back; start nothing

     --port PORT
             UDP port of encapsulated ESP (4500); 0: no UDP encapsulation

     --workers 1|2
             one thread for both directions, which costs less, or one for
             each, which carries more both ways at once (the default with more
             than two processors)

     What the engine begins with stands in /etc/ipsecbox/rc.conf (the
     directory is moved by IPSECBOX_ETC): lines of ipsecadm, only new, ip4,
     flow, group and bind.  They are carried out before the engine says that
     it is ready, flows first.

     Knobs such as net.inet.ah.enable are read from /etc/ipsecbox/sysctl.conf;
     see "ipsecbox help sysctl".  IPSECBOX_LIBCRYPTO=off in the environment
     keeps the engine away from libcrypto.

FILES
     /run/ipsecbox/pfkey.sock
             where it answers PF_KEY messages

     /etc/ipsecbox/rc.conf
             SAs and flows to begin with

     /etc/ipsecbox/sysctl.conf
             settings

     /run/ipsecbox/ike.sock
             through which isakmpd has the UDP encapsulation port

     /run/ipsecbox/enc.pid
             process id; locked

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Whether an engine can run here; one that is looked at by Prometheus:

           ipsecbox enc -n
           ipsecbox enc --metrics 9100

DIAGNOSTICS
     ready: interface NAME, process NUMBER
             SAs and flows of rc.conf are in force.

     an IPsec engine runs already
             One engine has one run directory.  End that one, or give this
             another IPSECBOX_RUN and interface.

     root or CAP_NET_ADMIN is needed
             The engine makes an interface, routes and filters: start it as
             root.

     cleartext of NUMBER flows is held back until they are given again or
             flushed
             An engine before this one was killed.  What its flows forbid
             stays forbidden until rc.conf, isakmpd or photurisd gives the
             flows again, or "ipsecadm flush" lets go.

     removed NUMBER rules and NUMBER routes that an engine left behind
             Nothing is to be done.

     NUMBER lines of PATH are in force
             That many lines of rc.conf were taken; lines that were not are
             named before, with file and line.

     it holds keys and others may read it: chmod 600
             rc.conf was read nevertheless.  Make it private.

     cannot accept on PATH
             No more file descriptors: raise the limit (ulimit -n,
             LimitNOFILE).

     refused a program on PATH: NUMBER are connected
             Something connects again and again, and does not end.

     peer ADDRESS now sends from UDP port NUMBER
             A NAT box between has given the peer another port; packets go
             there now.

SEE ALSO
     ipsecbox-rc.conf(5), ipsecbox-sysctl.conf(5), ipsecadm(8), ipsecbox(8),
     ipsecbox-netstat(8), ipsecbox-sysctl(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-genkey.8": {
    source: "59da9256e2250674",
    text: `IPSECBOX-GENKEY(8)          System Manager's Manual         IPSECBOX-GENKEY(8)

NAME
     ipsecbox-genkey – make a key from the system's random source

SYNOPSIS
     ipsecbox genkey BITS

DESCRIPTION
     Prints BITS random bits from the system's random source as hexadecimal
     digits, the form that ipsecadm's key files have.  BITS is a multiple of
     8: 64 for des, 192 for 3des, 160 for blf, sha1 and rmd160, 128 for cast
     and md5, 128, 192 or 256 for aes; "ipsecadm help new esp" has the whole
     table (in octets of 8 bits).

     example:

           (umask 077; ipsecbox genkey 192 > /etc/esp-enc-key; ipsecbox genkey 160 > /etc/esp-auth-key)

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     A key for aes-gcm, which has 16 octets and 4 of salt:

           (umask 077; ipsecbox genkey 160 > /etc/esp-key)

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-install.8": {
    source: "bfbe24934c8366dc",
    text: `IPSECBOX-INSTALL(8)         System Manager's Manual        IPSECBOX-INSTALL(8)

NAME
     ipsecbox-install – make links to this program under the OpenBSD names

SYNOPSIS
     ipsecbox install [--force] [--prefix DIR] [--root DIR [--links DIR]]
     ipsecbox install [--force] --links DIR

DESCRIPTION
     Puts in place: this program as PREFIX/sbin/ipsecbox, links to it under
     the names that OpenBSD's tools have (ipsecadm, isakmpd, photurisd,
     startkey, certpatch, keynote, rc.vpn), units for systemd (or a script for
     OpenWrt's procd), manual pages, completions for bash, zsh and fish, and
     example files.  What was put where stands in
     PREFIX/share/ipsecbox/installed, and "ipsecbox uninstall" takes exactly
     that away.  A second time it brings an older installation up to date.
     Nothing is started.

     --force
             replace files and links that are there already and not ours;
             without it such a file stops everything before anything is
             changed

     --links DIR
             where the links go (PREFIX/sbin); without --root: make only these
             links, to this file, and nothing else

     --prefix DIR
             /usr/local

     --root DIR
             a directory that becomes the root of a system, for packages and
             images; /

FILES
     PREFIX/share/ipsecbox/installed
             what was put where

     /var/cache/ipsecbox
             where the packed program unpacks itself

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Into this system, and into an image that is being made:

           ./ipsecbox install
           ./ipsecbox install --root /tmp/image --prefix /usr

DIAGNOSTICS
     is there already and not ours
             Something else has that name: remove it, or use --force.

     it is the single file that is installed
             The program was started from its source.

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-kern-ipsec.8": {
    source: "32274bee3f1f48d0",
    text: `IPSECBOX-KERN-IPSEC(8)      System Manager's Manual     IPSECBOX-KERN-IPSEC(8)

NAME
     ipsecbox-kern-ipsec – show SAs as /kern/ipsec did

SYNOPSIS
     ipsecbox kern-ipsec [--json]

DESCRIPTION
     Shows every SA with its algorithms, counters and expirations, as
     /kern/ipsec did.

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     SAs as /kern/ipsec showed them:

           ipsecbox kern-ipsec

DIAGNOSTICS
     cannot reach the IPsec engine at PATH: start it with "ipsecbox enc"
             No engine runs, or it has another run directory ( IPSECBOX_RUN).

     no permission to use the IPsec engine's socket PATH: only root may
             Run the command as root.

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-man.8": {
    source: "37438e2564f20461",
    text: `IPSECBOX-MAN(8)             System Manager's Manual            IPSECBOX-MAN(8)

NAME
     ipsecbox-man – print a manual page

SYNOPSIS
     ipsecbox man [NAME]

DESCRIPTION
     Prints the manual page of a command (enc, ipsecadm, isakmpd, ...) or of a
     file (isakmpd.conf, isakmpd.policy, photuris.conf, sysctl.conf) as plain
     text.  Without NAME, lists the pages.

     example:

           ipsecbox man isakmpd.conf | less

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     A page, and which there are:

           ipsecbox man isakmpd.conf
           ipsecbox man

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-netstat.8": {
    source: "6da0d66ab7975520",
    text: `IPSECBOX-NETSTAT(8)         System Manager's Manual        IPSECBOX-NETSTAT(8)

NAME
     ipsecbox-netstat – show flows (-rn -f encap) and counters (-s)

SYNOPSIS
     ipsecbox netstat -rn -f encap [--json]
     ipsecbox netstat -s [-p esp|ah|ipip|policy] [--json]

DESCRIPTION
     -rn -f encap shows the flows: the packets, and the SA they use as address
     of the peer, protocol number, policy and direction.  -s shows how many
     packets were sent and received, and how many were dropped for which
     reason; policy: how many came in clear that a flow forbids.

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Flows, and counters of ESP:

           ipsecbox netstat -rn -f encap
           ipsecbox netstat -s -p esp

DIAGNOSTICS
     cannot reach the IPsec engine at PATH: start it with "ipsecbox enc"
             No engine runs, or it has another run directory ( IPSECBOX_RUN).

     no permission to use the IPsec engine's socket PATH: only root may
             Run the command as root.

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-pki.8": {
    source: "2b2d7358248d0e92",
    text: `IPSECBOX-PKI(8)             System Manager's Manual            IPSECBOX-PKI(8)

NAME
     ipsecbox-pki – make an authority, certificates and CRLs; show them for a
     policy

SYNOPSIS
     ipsecbox pki ca -s SUBJECT -o ca.crt -k ca.key [-b BITS] [-d DAYS]
              [-p PATHLENGTH] [-c PARENT.crt -K PARENT.key]
     ipsecbox pki cert -s SUBJECT -i ID ... -c ca.crt -k ca.key -o NAME.crt -n
              NAME.key [-t TYPE] [-b BITS] [-d DAYS]
     ipsecbox pki sign -c ca.crt -k ca.key -o NAME.crt [-i ID ...] [-t TYPE]
              [-d DAYS] NAME.csr
     ipsecbox pki renew -c ca.crt -k ca.key -o NEW.crt [-d DAYS] OLD.crt
     ipsecbox pki crl -c ca.crt -k ca.key -o ca.crl [-d DAYS] [-r REASON]
              [REVOKED.crt ...]
     ipsecbox pki show FILE ...
     ipsecbox pki dn FILE
     ipsecbox pki policy-base64 FILE

DESCRIPTION
     Each action is one step towards isakmpd with certificates, and tells on
     standard error which openssl commands do the same.

     ca      a new key, and a certificate of an authority with it, signed by
             itself, or with -c and -K by an authority above it.  Peers keep
             the highest one in /etc/isakmpd/ca/; an intermediate one goes to
             /etc/isakmpd/certs/ of the peers whose certificates it signs

     cert    a new key for a peer, and a certificate of the authority for it.
             -i is the identity that the peer's ID payload will have: an
             address, a domain name or user@domain; -t says which (ip, fqdn,
             ufqdn) when its looks do not.  NAME.key goes to
             /etc/isakmpd/private/local.key, NAME.crt to /etc/isakmpd/certs/,
             ca.crt to /etc/isakmpd/ca/ of every peer

     sign    a certificate for a peer that made its key itself and sends a
             request (PKCS#10) for it.  Name and key are those of the request,
             the identities those of -i; without -i those that it asks for:
             read what is printed.  A request makes nobody an authority

     renew   a certificate that says what one that nears its end says: name,
             key, identities and every other extension.  Of an authority that
             signed itself: -c and OLD.crt are the same file

     crl     a list of revoked certificates.  What the file lists already
             stays listed.  It goes to /etc/isakmpd/crls/. REASON is
             keyCompromise, CACompromise, affiliationChanged, superseded,
             cessationOfOperation, privilegeWithdrawn

     show    certificates, requests, CRLs and keys in words

     dn      a certificate's name as a policy's Licensees has it:
             "DN:/C=SE/O=MySite/CN=gw"

     policy-base64
             a certificate as a policy's Licensees has it: "x509-base64:..."

     SUBJECT is a name in one line, /C=SE/O=MySite/CN=gw.mysite.se; put the ID
     into the CN, so that names stay unique.  BITS: an RSA key (2048 if not
     given), or 256, 384 or 521 for ECDSA.  DAYS: 365, for a CRL 30; no
     certificate outlives its authority's.  PATHLENGTH: so many authorities
     may be below it.

     example:

           ipsecbox pki ca -s "/C=SE/O=MySite/CN=MySite CA" -o ca.crt -k ca.key
           ipsecbox pki cert -s /C=SE/O=MySite/CN=gw.mysite.se -i gw.mysite.se -c ca.crt -k ca.key \\
               -o gw.mysite.se.crt -n local.key

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     An authority and a certificate for a gateway:

           ipsecbox pki ca -s /CN=Authority -o ca.crt -k ca.key
           ipsecbox pki cert -s /CN=west -i 192.0.2.1 -c ca.crt -k ca.key \\
               -o west.crt -n west.key

SEE ALSO
     isakmpd.conf(5), certpatch(8), ipsecbox(8), isakmpd(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-policy.8": {
    source: "7ffb122d8d2097db",
    text: `IPSECBOX-POLICY(8)          System Manager's Manual         IPSECBOX-POLICY(8)

NAME
     ipsecbox-policy – ask isakmpd.policy without a negotiation

SYNOPSIS
     ipsecbox policy test [-k PRINCIPAL] [-s FILE]
              [-x CERTIFICATE [-a CA-CERTIFICATE ...]] [-c CREDENTIALS]
              POLICY-FILE [NAME=VALUE ...]

DESCRIPTION
     Asks the policy of isakmpd(8) as it is asked in phase 2, without a
     negotiation, prints true or false and why.  The exit status is 0 for
     true, 1 for false.

     -k PRINCIPAL
             who asks: a key, a name, DN:/C=SE/... (no pass-phrase: others see
             it)

     -s FILE
             who asks: whoever knows the pre-shared key in the file (its last
             newline is none)

     -x CERTIFICATE
             who asks: the holder of this certificate; with -a it must hold,
             and what its authorities say of it counts

     -c CREDENTIALS
             KeyNote credentials that come with the question

     NAME=VALUE
             action attributes.  app_domain, doi and the times of day are set
             already; addresses are padded (192.168.001.002).

     The attributes are

           app_domain doi initiator phase_1 phase1_group_desc pfs ah_present ah_life_seconds
           ah_life_kbytes ah_encapsulation ah_ecn ah_group_desc esp_present esp_life_seconds
           esp_life_kbytes esp_encapsulation esp_ecn esp_group_desc comp_present comp_life_seconds
           comp_life_kbytes comp_encapsulation comp_ecn comp_group_desc ah_hash_alg esp_enc_alg
           comp_alg ah_auth_alg ah_key_length ah_key_rounds esp_auth_alg esp_key_length esp_key_rounds
           comp_dict_size comp_private_alg remote_filter remote_filter_type remote_filter_addr_upper
           remote_filter_addr_lower remote_filter_port remote_filter_proto local_filter
           local_filter_type local_filter_addr_upper local_filter_addr_lower local_filter_port
           local_filter_proto remote_id remote_id_type remote_id_addr_upper remote_id_addr_lower
           remote_id_port remote_id_proto remote_negotiation_address local_negotiation_address
           remote_ike_address local_ike_address GMTTimeOfDay LocalTimeOfDay

     example:

           ipsecbox policy test -k DN:/C=SE/O=MySite/CN=gw /etc/isakmpd/isakmpd.policy \\
               esp_present=yes esp_enc_alg=3des remote_id_type=FQDN remote_id=gw.worksite.se

EXIT STATUS
     0 when the policy says true, 1 when it says false.

EXAMPLES
     Whether a key may have ESP with AES:

           ipsecbox policy test -k rsa-hex:3044 /etc/isakmpd/isakmpd.policy \\
               esp_present=yes esp_enc_alg=aes

SEE ALSO
     keynote(1), isakmpd.policy(5), ipsecbox(8), isakmpd(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-rc.conf.5": {
    source: "65d9a87f5c58476f",
    text: `IPSECBOX-RC.CONF(5)           File Formats Manual          IPSECBOX-RC.CONF(5)

NAME
     ipsecbox-rc.conf – SAs and flows that the engine begins with

DESCRIPTION
     The file /etc/ipsecbox/rc.conf holds lines as ipsecadm(8) takes them,
     with or without its name in front: words between blanks, quoted with ‘'’
     or ‘"’, continued with ‘\\’ at the end of the line; what ‘#’ begins is a
     comment.  Only the commands new, ip4, flow, group and bind may stand
     there.

     The lines are carried out before the engine says that it is ready, first
     the flows, so that what they demand is held back before anything can go
     out, then the SAs.  What is wrong is reported with file and line, and the
     other lines count nevertheless; ‘ipsecbox enc -n’ reports the same
     without starting an engine, and fails.

     A file with keys in it must be readable by its owner only; keys in files
     of their own (-keyfile) are better.

FILES
     /etc/ipsecbox/rc.conf
             The directory is moved by the environment variable IPSECBOX_ETC.

EXAMPLES
           ipsecadm new esp -src 192.0.2.1 -dst 198.51.100.1 -forcetunnel \\
               -spi 1000 -enc aes-gcm -keyfile /etc/ipsecbox/esp-key
           ipsecadm flow -proto esp -src 192.0.2.1 -dst 198.51.100.1 \\
               -addr 10.1.0.0/16 10.2.0.0/16 -out -require

SEE ALSO
     ipsecadm(8), ipsecbox-enc(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-status.8": {
    source: "b755fbc7662d31a7",
    text: `IPSECBOX-STATUS(8)          System Manager's Manual         IPSECBOX-STATUS(8)

NAME
     ipsecbox-status – show engine, SAs, flows, drops and daemons on one
     screen

SYNOPSIS
     ipsecbox status [--json | --prometheus]

DESCRIPTION
     Shows the engine, what it has received, sent and dropped for which
     reason, cleartext that flows forbid, the key management daemons, all SAs
     (with peer, algorithms, age, what is left of their lifetime, packets,
     bytes, drops) and all flows.

     --json  the same as JSON

     --prometheus
             the counters as Prometheus reads them; "ipsecbox enc --metrics
             PORT" serves them

     "ipsecbox top" shows it live, with rates.

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     On one screen, for a program, for Prometheus:

           ipsecbox status
           ipsecbox status --json
           ipsecbox status --prometheus

DIAGNOSTICS
     cannot reach the IPsec engine at PATH: start it with "ipsecbox enc"
             No engine runs, or it has another run directory ( IPSECBOX_RUN).

     no permission to use the IPsec engine's socket PATH: only root may
             Run the command as root.

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-sysctl.8": {
    source: "18a8591f71c2658e",
    text: `IPSECBOX-SYSCTL(8)          System Manager's Manual         IPSECBOX-SYSCTL(8)

NAME
     ipsecbox-sysctl – show and set net.inet.esp.enable, net.inet.ah.enable,
     forwarding and more

SYNOPSIS
     ipsecbox sysctl [-n] [--json] [-a | NAME ...]
     ipsecbox sysctl [-w] NAME=VALUE ...

DESCRIPTION
     Shows or sets what OpenBSD has under these names.  A setting takes effect
     at once and is kept in /etc/ipsecbox/sysctl.conf (the directory is moved
     by IPSECBOX_ETC), from where the engine reads it when it starts.  -n
     prints values alone.

     net.inet.ip.forwarding
             whether Linux forwards IPv4 packets (its net.ipv4.ip_forward)

     net.inet6.ip6.forwarding
             whether Linux forwards IPv6 packets (its
             net.ipv6.conf.all.forwarding)

     net.inet.esp.enable
             whether ESP packets are sent and accepted (1)

     net.inet.ah.enable
             whether AH packets are sent and accepted (0)

     net.inet.ip.ipsec-expire-acquire
             seconds before key management is asked again for the same SA (30)

     net.inet.ip.ipsec-invalid-life
             seconds that a reserved SPI is kept (60)

     net.inet.ip.ipsec-pfs
             whether an ACQUIRE asks for perfect forward secrecy (1)

     net.inet.ip.ipsec-soft-allocs
             flows, soft limit of an ACQUIRE's proposal (0)

     net.inet.ip.ipsec-allocs
             flows, hard limit of an ACQUIRE's proposal (0)

     net.inet.ip.ipsec-soft-bytes
             octets, soft limit of an ACQUIRE's proposal (0)

     net.inet.ip.ipsec-bytes
             octets, hard limit of an ACQUIRE's proposal (0)

     net.inet.ip.ipsec-soft-timeout
             seconds, soft limit of an ACQUIRE's proposal (80000)

     net.inet.ip.ipsec-timeout
             seconds, hard limit of an ACQUIRE's proposal (86400)

     net.inet.ip.ipsec-soft-firstuse
             seconds after first use, soft limit of an ACQUIRE's proposal
             (3600)

     net.inet.ip.ipsec-firstuse
             seconds after first use, hard limit of an ACQUIRE's proposal
             (7200)

     net.inet.ip.ipsec-enc-alg
             cipher of an ACQUIRE's proposal (aes)

     net.inet.ip.ipsec-auth-alg
             authenticator of an ACQUIRE's proposal (sha1)

FILES
     /etc/ipsecbox/sysctl.conf
             what was set

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Switch AH on for now and for good:

           ipsecbox sysctl -w net.inet.ah.enable=1

DIAGNOSTICS
     cannot reach the IPsec engine at PATH: start it with "ipsecbox enc"
             No engine runs, or it has another run directory ( IPSECBOX_RUN).

     no permission to use the IPsec engine's socket PATH: only root may
             Run the command as root.

SEE ALSO
     ipsecbox-sysctl.conf(5), ipsecbox(8), ipsecbox-enc(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-sysctl.conf.5": {
    source: "df3661692cbd21c2",
    text: `IPSECBOX-SYSCTL.CONF(5)       File Formats Manual      IPSECBOX-SYSCTL.CONF(5)

NAME
     ipsecbox-sysctl.conf – settings that the engine reads when it starts

DESCRIPTION
     The file /etc/ipsecbox/sysctl.conf holds lines name=value.  What ‘#’
     begins is a comment.  The names and their defaults are those of
     ipsecbox-sysctl(8), which changes the file when it sets something; those
     that are Linux's own, such as net.inet.ip.forwarding, are passed on to
     it.  A line that is none is reported with its number.

FILES
     /etc/ipsecbox/sysctl.conf
             The directory is moved by the environment variable IPSECBOX_ETC.

EXAMPLES
           net.inet.esp.enable=1
           net.inet.ah.enable=1            # off by default
           net.inet.ip.forwarding=1

SEE ALSO
     ipsecbox-enc(8), ipsecbox-sysctl(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-top.8": {
    source: "5ac39ffe3b37e7ad",
    text: `IPSECBOX-TOP(8)             System Manager's Manual            IPSECBOX-TOP(8)

NAME
     ipsecbox-top – show the same live, with rates

SYNOPSIS
     ipsecbox top [-d SECONDS]

DESCRIPTION
     Shows SAs live in a terminal: how much each carries, drops, what is left
     of its lifetime.

     -d SECONDS
             time between two looks (1); fractions such as 0.5 are allowed

     Keys: q quits; up and down choose an SA and show more of it; s (or right
     and left) sorts by rate, bytes, drops, age, lifetime left or peer; r
     reverses the order; space stops and goes on.

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Every two seconds:

           ipsecbox top -s 2

DIAGNOSTICS
     cannot reach the IPsec engine at PATH: start it with "ipsecbox enc"
             No engine runs, or it has another run directory ( IPSECBOX_RUN).

     no permission to use the IPsec engine's socket PATH: only root may
             Run the command as root.

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox-uninstall.8": {
    source: "4fc17e1d72d999e3",
    text: `IPSECBOX-UNINSTALL(8)       System Manager's Manual      IPSECBOX-UNINSTALL(8)

NAME
     ipsecbox-uninstall – take away what install has put in place

SYNOPSIS
     ipsecbox uninstall [--prefix DIR] [--root DIR]

DESCRIPTION
     Takes away exactly what "ipsecbox install" with the same options has put
     in place, as PREFIX/share/ipsecbox/installed lists it.  Files that
     somebody has changed since stay, and are named; so do directories in
     which something else is.  Services are not stopped.  What the packed
     program has unpacked into /var/cache/ipsecbox goes too, unless a process
     still runs from it.

     --prefix DIR
             /usr/local

     --root DIR
             the root of the system that it was installed into; /

FILES
     PREFIX/share/ipsecbox/installed
             what was put where

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     What "ipsecbox install --prefix /usr" has put in place:

           ipsecbox uninstall --prefix /usr

DIAGNOSTICS
     nothing is installed
             Give the --prefix and --root of the installation.

     stays: somebody has changed it
             Remove it by hand.

SEE ALSO
     ipsecbox(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "ipsecbox.8": {
    source: "09dcf9478878c1c2",
    text: `IPSECBOX(8)                 System Manager's Manual                IPSECBOX(8)

NAME
     ipsecbox – IPsec in one file

SYNOPSIS
     ipsecbox command [argument ...]
     ipsecbox help [command]
     ipsecbox version

DESCRIPTION
     ipsecbox is for a Linux router or host what the kernel and the tools of
     OpenBSD were: an engine that keeps security associations (SAs) and flows
     and moves ESP and AH packets in userspace, and the programs that manage
     its keys by hand, with Photuris and with IKE.  Called by a link that has
     the name of a command, it is that command.

     The commands:

     ipsecbox-enc(8)
             Run the IPsec engine: SAs, flows, ESP and AH, interface enc0.

     ipsecadm(8)
             Manage SAs and flows by hand.

     rc.vpn(8)
             The same as vpn, under its OpenBSD name.

     ipsecbox-genkey(8)
             Make a key from the system's random source.

     ipsecbox-sysctl(8)
             Show and set net.inet.esp.enable, net.inet.ah.enable, forwarding
             and more.

     ipsecbox-netstat(8)
             Show flows (-rn -f encap) and counters (-s).

     ipsecbox-kern-ipsec(8)
             Show SAs as /kern/ipsec did.

     ipsecbox-dump(8)
             Show packets of ESP, AH, IKE and Photuris, live or from a pcap
             file.

     ipsecbox-status(8)
             Show engine, SAs, flows, drops and daemons on one screen.

     ipsecbox-top(8)
             Show the same live, with rates.

     ipsecbox-doctor(8)
             Find what stops tunnels, and say what to change.

     ipsecbox-bench(8)
             Measure what this machine can do: each cipher, and tunnels beside
             none.

     ipsecbox-install(8)
             Put program, links, units, manual pages and completions in place.

     ipsecbox-uninstall(8)
             Take away what install has put in place.

     isakmpd(8)
             Negotiate keys with IKE (RFC 2409).

     ipsecbox-check(8)
             Look for faults in an isakmpd.conf, or whether two of them agree.

     photurisd(8)
             Negotiate keys with Photuris (RFC 2522).

     startkey(1)
             Ask photurisd for keys with a host.

     keynote(1)
             Make keys, sign and verify KeyNote credentials, ask and explain
             policies.

     ipsecbox-policy(8)
             Ask isakmpd.policy without a negotiation.

     certpatch(8)
             Put a subjectAltName into a certificate.

     ipsecbox-pki(8)
             Make an authority, certificates and CRLs; show them for a policy.

     ipsecbox-completion(8)
             Print a completion script for bash, zsh or fish.

     ipsecbox-man(8)
             Print a manual page.

ENVIRONMENT
     IPSECBOX_RUN
             Directory of sockets and pid files instead of /run/ipsecbox.  Two
             engines in two network namespaces need two.

     IPSECBOX_ETC
             Directory of the configuration instead of /etc/ipsecbox.

     IPSECBOX_CACHE
             Where the packed file unpacks itself at its first start, instead
             of /var/cache/ipsecbox.

     IPSECBOX_LIBCRYPTO
             With the value off, libcrypto is not used though it is there.

FILES
     /run/ipsecbox/pfkey.sock
             Where the engine answers PF_KEY messages.

     /etc/ipsecbox/sysctl.conf
             See ipsecbox-sysctl.conf(5).

EXIT STATUS
     0 on success, 1 on failure, 2 for a command that does not exist.

EXAMPLES
     An engine, a look at it, and what may be wrong:

           ipsecbox enc &
           ipsecbox status
           ipsecbox doctor

DIAGNOSTICS
     cannot unpack into DIRECTORY
             The packed program unpacks itself when it is started first.  Make
             the directory writable, or set IPSECBOX_CACHE to one that is.

SEE ALSO
     isakmpd.conf(5), isakmpd.policy(5), photuris.conf(5), ipsecadm(8),
     ipsecbox-enc(8), isakmpd(8), photurisd(8), rc.vpn(8)

CAVEATS
     Not supported: IPComp, TCP-MD5, IKEv2, extended sequence numbers,
     multicast SAs.

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "isakmpd.8": {
    source: "31a0f343fb90022b",
    text: `ISAKMPD(8)                  System Manager's Manual                 ISAKMPD(8)

NAME
     isakmpd – negotiate keys with IKE (RFC 2409)

SYNOPSIS
     isakmpd [-46adKLnSTv] [-c file] [-D class=level] [-f fifo] [-i pid-file]
             [-l packet-log] [-N udpencap-port] [-p listen-port]
             [-P local-port] [-r seed] [-R report-file] [-W directory]

DESCRIPTION
     Negotiates keys with IKE (RFC 2409) for ESP and AH, as
     /etc/isakmpd/isakmpd.conf says, and gives SAs and flows to the IPsec
     engine.  It goes into the background and logs to syslog.  The first time:

           isakmpd -d -DA=99

     -4, -6  IPv4 only, IPv6 only

     -a      install SAs, but no flows

     -c file
             configuration (/etc/isakmpd/isakmpd.conf); nobody else may read
             it

     -d      stay in the foreground and log to standard error

     -D class=level
             debug level, 0 to 99, of a class: 0 Misc, 1 Transport, 2 Message,
             3 Crypto, 4 Timer, 5 Sysdep, 6 SA, 7 Exchange, 8 Negotiation, 9
             Policy, 10 UI, A all of them

     -f fifo
             control FIFO (/var/run/isakmpd.fifo); "-" is standard input

     -i file
             pid file (/var/run/isakmpd.pid)

     -K      no policy file, no KeyNote: whoever authenticates gets what the
             configuration allows

     -l file
             write the messages in clear to a pcap file

     -L      the same to /var/run/isakmpd.pcap

     -n      leave the engine alone: negotiate, but install nothing

     -N port
             UDP encapsulation port (4500)

     -p port
             UDP port to listen on (500)

     -P port
             accepted and without effect, as always

     -r seed
             predictable "random" numbers, for tests only

     -R file
             report file for SIGUSR1 (/var/run/isakmpd.report)

     -S      begin passive, and send no DELETE at the end

     -T      no NAT traversal

     -v      log every phase 1 and phase 2 that is finished

     -W directory
             write what Wireshark needs to decrypt IKE and ESP (its tables
             ikev1_decryption_table and esp_sa; use WIRESHARK_CONFIG_DIR).
             These are keys!

     SIGHUP reads configuration and policy again; what they no longer have
     ends, the rest goes on.  SIGUSR1 writes the report, SIGTERM and SIGINT
     send DELETE for all SAs and end the daemon.  FIFO commands: c NAME, t
     NAME, t main NAME (a peer or its address for NAME), T, C set, C rm, C
     rms, C add, C rmv, C get, d COOKIES MSGID, D CLASS LEVEL, D T, p
     on[=FILE], p off, r, R, Q, S, M active, M passive.

     "ipsecbox check FILE" looks at a configuration without starting anything;
     "ipsecbox check A B" says whether two of them will agree.

FILES
     /etc/isakmpd/isakmpd.conf
             configuration

     /etc/isakmpd/isakmpd.policy
             policy

     /etc/isakmpd/ca/
             certificates of authorities

     /etc/isakmpd/certs/
             certificates

     /etc/isakmpd/private/local.key
             our private key

     /var/run/isakmpd.fifo
             control FIFO

     /var/run/isakmpd.report
             report of SIGUSR1

     /var/run/isakmpd.pid
             process id

     /var/run/isakmpd.result
             answers of FIFO commands

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     In the foreground with all messages; then a connection by hand, SAs, the
     end of a connection:

           isakmpd -d -DA=99
           echo "c tunnel" > /var/run/isakmpd.fifo
           echo S > /var/run/isakmpd.fifo; cat /var/run/isakmpd.result
           echo "t tunnel" > /var/run/isakmpd.fifo

     As user _ipsecbox, once sysusers.d has made it:

           chgrp -R _ipsecbox /etc/isakmpd
           chmod -R u=rwX,g=rX,o= /etc/isakmpd

DIAGNOSTICS
     listening on ADDRESS
             It is ready.

     the IPsec engine is gone; waiting for it to come back
             Start the engine again; connections come up anew by themselves.

     Cannot agree on NAME with ADDRESS
             phase 1: the two sides have no proposal, exchange type or
             authentication in common; phase 2: suites, networks
             (INVALID_ID_INFORMATION) or policies differ.  What each offers
             and allows, and the line of isakmpd.conf, follow; with
             NO_PROPOSAL_CHOSEN the peer decided, and its log says why.
             "ipsecbox check A B" compares two files.

     no peer is configured for this address, and there is no Default
             Add the address to [Phase 1], or a Default.

     lets others at it
             A file of secrets is readable for others: chmod 600, or mode 0640
             and group _ipsecbox.

     cannot bring up "NAME": there is no such connection
             The name is none of [Phase 2] Connections.

     command not understood
             What was written to the FIFO is no command; see above.

     runs as root, not as NAME, to whom DIRECTORY is closed
             That user could not read the program: chmod 755 the directory, or
             change the owner of the configuration back to root.

SEE ALSO
     isakmpd.conf(5), isakmpd.policy(5), certpatch(8), ipsecbox(8),
     ipsecbox-check(8), ipsecbox-dump(8), ipsecbox-enc(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "isakmpd.conf.5": {
    source: "f0738bb3df6ded0e",
    text: `ISAKMPD.CONF(5)               File Formats Manual              ISAKMPD.CONF(5)

NAME
     isakmpd.conf – configuration of isakmpd

DESCRIPTION
     The file says with whom isakmpd(8) negotiates, how both sides
     authenticate, and which packets are protected how.  It is
     /etc/isakmpd/isakmpd.conf unless -c names another, and nobody but its
     owner may read it.

     It consists of sections, each begun by its name in brackets, and of lines
     tag=value in them.  Lines that begin with ‘#’ or ‘;’ are comments; a
     backslash before the end of a line joins the next one to it.  Names of
     sections and tags are equal whatever their case.  A section may occur
     several times; of a tag that is repeated the first counts.  Lists are
     separated by commas.  A range X,Y:Z offers X and accepts Y to Z.

     The root sections are found by their names, all others because a tag of
     another section names them.  ipsecbox check looks for faults and shows
     what a file means; see ipsecbox-check(8).

   General
     Retransmits
             How often a message is sent again (3).

     Exchange-max-time
             Seconds after which an exchange that has not ended is given up
             (120).

     Listen-on
             Addresses to listen on; all when there is none.

     Check-interval
             Seconds between looks at the connections that are kept up (60).

     Policy-file
             The policy, /etc/isakmpd/isakmpd.policy.

     Pubkey-directory
             Public keys of peers that are trusted as they are,
             /etc/isakmpd/pubkeys.

     Default-phase-1-ID
             Section of the identity used when a peer names none.

     Default-phase-1-lifetime
             Life of the predefined phase 1 transforms (3600,60:86400).

     Default-phase-2-lifetime
             Life of the predefined suites (1200,60:86400).

     Default-phase-2-suites
             Suites of connections that are made for a flow that asks for
             keys.

     Shared-SADB
             When present, a second update of an SA is no error and replay
             protection is not asked for.

     Renegotiate-on-HUP
             When present, SIGHUP negotiates all phase 2 SAs anew.  Without it
             they stay until they expire; either way those of connections that
             the file has no more, or with other IDs or another peer, end at
             once.

     Use-Keynote
             Any value but yes leaves the policy out.

     Acquire-Only
             Whether connections wait until a packet asks for them; their
             flows are there from the start (no).

     DPD-check-interval
             Seconds of silence after which a peer is asked whether it is
             alive; 0 for never.

     Loglevel
             Debug levels as a list of class=level; see -D of isakmpd(8).

     Logverbose
             Log what is negotiated, as -v does.

     NAT-T-Keepalive
             Seconds between keepalives through a NAT (20).

     Delete-SAs
             Whether SAs are deleted at the end (yes).

   Phase 1
     Lines address=peer name the ISAKMP-peer section of each address; Default
     is for all others.  Without either, a negotiation is refused.

   Phase 2
     Connections
             IPsec-connection sections that are brought up at start and kept
             up.

     Passive-connections
             Those that are only accepted.

   X509-certificates
     CA-directory
             Certificates of authorities, /etc/isakmpd/ca/.

     Cert-directory
             Our own and peers' certificates, /etc/isakmpd/certs/.  Each needs
             a subjectAltName that is the phase 1 identity; see certpatch(8).

     CRL-directory
             Revocation lists, /etc/isakmpd/crls/.

     Private-key
             Our private key, /etc/isakmpd/private/local.key.

     Private-key-directory
             Private keys by identity.

     Accept-self-signed
             When present, certificates need no authority.  It protects
             nothing without other means.

   KeyNote
     Credential-directory
             One directory for each identity, with the files credentials and
             private_key; /etc/isakmpd/keynote/.

   RSA_SIG
     CERT, PRIVKEY and PUBKEY of 1999 are read and have no effect; use
     X509-certificates.

   XAUTH-users
     Lines user=password of those who may log in after phase 1.

   ISAKMP-peer sections
     Phase   1.

     Transport
             udp.

     Port    UDP port of the peer (500).

     Local-address
             Our address towards the peer.

     Address
             The address of the peer; none for the peer of Default.

     Configuration
             An ISAKMP-configuration section.

     Authentication
             The pre-shared key; hexadecimal when it begins with 0x.

     ID      Phase1-ID section of our identity; our address without it.

     Remote-ID
             Phase1-ID section of the identity that the peer must have.

     Flags   A list of Stayalive, ikecfg (ask for addresses), xauth,
             Force-encapsulation (UDP though there is no NAT) and
             No-fragmentation.

     XAUTH-user
             The name with which we log in at the peer.

     XAUTH-password
             And the password.

   Phase1-ID sections
     ID-type
             IPV4_ADDR, IPV6_ADDR, FQDN, USER_FQDN, ASN1_DN (a certificate's
             name) or KEY_ID.

     Address
             The address, for the ADDR types.

     Network
             The network, for the SUBNET types.

     Netmask
             Its mask.

     Prefix  The length of its prefix, in place of a mask.

     Name    The name, for the others; an ASN1_DN as “ipsecbox pki dn” prints
             it, /C=SE/O=MySite/CN=gw.mysite.se.

   ISAKMP-configuration sections
     DOI     IPSEC.

     EXCHANGE_TYPE
             ID_PROT (main mode) or AGGRESSIVE.

     Transforms
             ISAKMP-transform sections or predefined names, the best first.

   ISAKMP-transform sections
     ANY accepts whatever is proposed, and cannot be offered.

     ENCRYPTION_ALGORITHM
             DES_CBC, 3DES_CBC, BLOWFISH_CBC, CAST_CBC or AES_CBC.

     KEY_LENGTH
             Bits, for ciphers whose keys have no fixed length.

     HASH_ALGORITHM
             MD5, SHA, SHA2_256, SHA2_384 or SHA2_512.

     AUTHENTICATION_METHOD
             PRE_SHARED or RSA_SIG.

     GROUP_DESCRIPTION
             MODP_768, MODP_1024, MODP_1536, MODP_2048 and so on, EC2N_155,
             EC2N_185.

     PRF     Nothing is defined but ANY.

     Life    Lifetime sections.

   Lifetime sections
     LIFE_TYPE
             SECONDS or KILOBYTES.

     LIFE_DURATION
             A range.

   IPsec-connection sections
     Phase   2.

     ISAKMP-peer
             The peer's section.

     Configuration
             An IPsec-configuration section.

     Local-ID
             IPsec-ID section of our side; without both, the two hosts alone.

     Remote-ID
             That of the other side.

     Flags   A list of Active-only (begun by us, never accepted), Stayalive
             and ikecfg.

     PF-Tag  Accepted and without effect.

     Acquire-ID
             Accepted and without effect.

     NAT-ID  Accepted and without effect.

   IPsec-configuration sections
     DOI     IPSEC.

     EXCHANGE_TYPE
             QUICK_MODE.

     Suites  IPsec-suite sections or predefined names, the best first.  All
             have perfect forward secrecy, or none.

   IPsec-suite sections
     Protocols
             IPsec-protocol sections; two are ESP and AH together.

   IPsec-protocol sections
     PROTOCOL_ID
             IPSEC_ESP or IPSEC_AH.

     Transforms
             IPsec-transform sections.

     ReplayWindow
             Packets by which one may be late.

   IPsec-transform sections
     TRANSFORM_ID
             The cipher of ESP (DES, 3DES, CAST, BLOWFISH, AES, NULL), or the
             hash of AH (MD5, SHA, RIPEMD).

     ENCAPSULATION_MODE
             TUNNEL or TRANSPORT.

     AUTHENTICATION_ALGORITHM
             HMAC_MD5, HMAC_SHA, HMAC_RIPEMD, HMAC_SHA2_256, HMAC_SHA2_384 or
             HMAC_SHA2_512.

     GROUP_DESCRIPTION
             As in phase 1; its presence gives perfect forward secrecy.

     KEY_LENGTH
             Bits.

     Life    Lifetime sections.

   IPsec-ID sections
     The tags of Phase1-ID sections, and

     Protocol
             The transport protocol, by name or number.

     Port    A port of it.

   Initiator-ID sections
     A section that has the name of an initiator's identity,
     [user@example.org], holds its pre-shared key for aggressive mode in the
     tag Authentication.

   IKECFG-ID sections
     Named [ipv4/ADDRESS], [ipv6/ADDRESS], [fqdn/NAME], [ufqdn/NAME] or
     [asn1_dn//DN], they hold what a client of that identity is given:
     Address, Netmask, Nameserver, WINS-server, DHCP-server, Network, Prefix,
     Lifetime (seconds, 1200), Mode (SET pushes the values, REQUEST waits for
     the question), Attributes (without effect), Split-include,
     Default-domain, Banner.

   Predefined sections
     These exist without being written, and can be overridden tag by tag:
     phase 1 transforms 3DES-SHA, AES-128-SHA2-256-GRP14-RSA_SIG and so on
     (cipher, hash, group, method), suites QM-ESP-3DES-SHA-PFS-SUITE,
     QM-AH-MD5-SUITE and so on (TRP after the protocol for transport mode),
     the lives LIFE_MAIN_MODE and LIFE_QUICK_MODE.

FILES
     /etc/isakmpd/isakmpd.conf

EXAMPLES
     A tunnel between two networks, by a pre-shared key:

           [Phase 1]
           192.0.2.2=              west
           [Phase 2]
           Connections=            east-west
           [west]
           Phase=                  1
           Address=                192.0.2.2
           Configuration=          main-mode
           Authentication=         change-this-secret
           [main-mode]
           EXCHANGE_TYPE=          ID_PROT
           Transforms=             3DES-SHA
           [east-west]
           Phase=                  2
           ISAKMP-peer=            west
           Configuration=          quick-mode
           Local-ID=               net-east
           Remote-ID=              net-west
           [quick-mode]
           EXCHANGE_TYPE=          QUICK_MODE
           Suites=                 QM-ESP-3DES-SHA-PFS-SUITE
           [net-east]
           ID-type=                IPV4_ADDR_SUBNET
           Network=                192.168.1.0
           Netmask=                255.255.255.0
           [net-west]
           ID-type=                IPV4_ADDR_SUBNET
           Network=                192.168.2.0
           Netmask=                255.255.255.0

SEE ALSO
     isakmpd.policy(5), ipsecbox-check(8), isakmpd(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "isakmpd.policy.5": {
    source: "2f1fabf5fbd34b8f",
    text: `ISAKMPD.POLICY(5)             File Formats Manual            ISAKMPD.POLICY(5)

NAME
     isakmpd.policy – what peers of isakmpd may have

DESCRIPTION
     The file holds KeyNote assertions (RFC 2704) that isakmpd(8) trusts.
     Before SAs are made, the policy is asked whether those who authenticated
     may have them; SAs that it does not allow are not made.  Nobody but its
     owner may read or change it.

     An assertion consists of fields, each a name, a colon and a value; lines
     that begin with a blank continue the field before, and empty lines
     separate assertions.

     KeyNote-Version: 2

     Comment:
             Any text.

     Local-Constants:
             Names for values used below.

     Authorizer:
             "POLICY" for what is trusted unconditionally, else the key that
             signed the assertion.

     Licensees:
             Who is licensed: principals in quotes, combined with &&, ||,
             parentheses and K-of().

     Conditions:
             When: comparisons of attributes, with -> "true" after each
             alternative.

     Signature:
             Of assertions that are no policy; made by keynote(1).

     Principals are passphrase:text (also passphrase-md5-hex: and
     passphrase-sha1-hex: with its hash ) for a pre-shared key,
     x509-base64:certificate and DN:name for certificates, and rsa-hex:key or
     rsa-base64:key for keys.

     The attributes, such as app_domain, esp_present, esp_enc_alg,
     remote_filter, remote_id and pfs, are listed in ipsecbox-policy(8), which
     also asks a policy without a negotiation.

FILES
     /etc/isakmpd/isakmpd.policy

EXAMPLES
     Whoever knows the pre-shared key, or has a certificate of the authority,
     may have ESP with encryption:

           KeyNote-Version: 2
           Authorizer: "POLICY"
           Licensees: "passphrase:change-this-secret" || "DN:/C=SE/O=MySite/CN=MySite CA"
           Conditions: app_domain == "IPsec policy" && esp_present == "yes" &&
                       esp_enc_alg != "null" -> "true";

SEE ALSO
     keynote(1), isakmpd.conf(5), ipsecbox-policy(8), isakmpd(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "keynote.1": {
    source: "84cc58156338a722",
    text: `KEYNOTE(1)                  General Commands Manual                 KEYNOTE(1)

NAME
     keynote – make keys, sign and verify KeyNote credentials, ask and explain
     policies

SYNOPSIS
     keynote keygen ALGORITHM BITS PUBLIC-FILE PRIVATE-FILE
             [print-offset [print-length]]
     keynote sign [-v] ALGORITHM ASSERTION-FILE PRIVATE-FILE
             [print-offset [print-length]]
     keynote sigver [ASSERTION-FILE]
     keynote verify [-h] -r VALUES -e FILE -l FILE -k FILE
             [CREDENTIAL-FILE ...]
     keynote explain [-h] -r VALUES -e FILE -l FILE -k FILE
             [CREDENTIAL-FILE ...]

DESCRIPTION
     keygen  makes a key pair.  ALGORITHM is one of rsa-hex: rsa-base64: dsa-
             hex: dsa-base64: "-" as a file is standard output.  A private
             key's file is readable by its owner alone.

     sign    prints the value for the Signature field of an assertion, which
             must have that field, if only an empty one, and the key's public
             half as its Authorizer.  ALGORITHM is one of sig-rsa-sha1-hex:
             sig-rsa-sha1-base64: sig-rsa-md5-hex: sig-rsa-md5-base64: sig-
             rsa-sha256-hex: sig-rsa-sha256-base64: sig-rsa-sha512-hex: sig-
             rsa-sha512-base64: sig-rsa-ripemd160-hex: sig-rsa-
             ripemd160-base64: sig-dsa-sha1-hex: sig-dsa-sha1-base64: sig-dsa-
             sha256-hex: sig-dsa-sha256-base64: sig-x509-sha1-hex: sig-
             x509-sha1-base64: sig-x509-sha256-hex: sig-x509-sha256-base64:
             sig-x509-sha512-hex: sig-x509-sha512-base64: sig-
             x509-ripemd160-hex: sig-x509-ripemd160-base64: The private key is
             keygen's, or PEM.  -v verifies what was signed.

     sigver  verifies the signatures of all assertions in the file (or on
             standard input); the exit status is 1 when one does not hold.

     verify  asks for the compliance value.  The options can be repeated, all
             but -r:

     -r VALUES
             compliance values in ascending order, separated by commas

     -e FILE
             action attributes, lines of the form name = "value"

     -l FILE
             assertions that are trusted as they are; one at least has
             Authorizer "POLICY"

     -k FILE
             a principal that asks for the action: a key as keygen writes it,
             or any name The other files hold credentials; those whose
             signatures do not hold are left out.

     explain
             asks the same, and says which assertions and clauses decided, and
             which attributes would have had to differ for a higher value.

     A print-offset is the number of blanks before each printed line (12), a
     print-length the length of a line without them (50).

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     A key pair, and an assertion signed with it:

           keynote keygen rsa-base64: 2048 public private
           keynote sign sig-rsa-sha1-base64: assertion private

SEE ALSO
     isakmpd.policy(5), ipsecbox(8), ipsecbox-policy(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "photuris.conf.5": {
    source: "74d377b690603d8e",
    text: `PHOTURIS.CONF(5)              File Formats Manual             PHOTURIS.CONF(5)

NAME
     photuris.conf, attributes.conf, secrets.conf, photuris.startup – files of
     photurisd

DESCRIPTION
     photurisd(8) reads these files in /etc/photuris.  Lines that begin with
     ‘#’ are comments.  A fault in one keeps photurisd from starting;
     photurisd -n names them all.

   photuris.conf
     modulus generator hexadecimal-modulus
             A safe prime and its generator; blanks between digits do not
             count.  Less than 1024 bits are for old peers only, less than 512
             refused.

     exchange scheme bits
             A scheme to offer, the best first: DH_G_2_MD5, DH_G_2_DES_MD5,
             DH_G_2_3DES_SHA1 and the others of RFC 2522 and RFC 2523, with
             the modulus of that many bits.  0 bits refer to the moduli of
             DH_G_2_MD5.

     config parameter number
             One of exchange_max_retransmits (3; also exchange_max_retries),
             exchange_retransmit_timeout (10 seconds), exchange_timeout (60
             seconds, at least the product of the two before),
             exchange_lifetime (1800 seconds, at least twice the timeout),
             spi_lifetime (1800 seconds, at least three times the timeout) and
             spi_bytes (1000000000 octets).

   attributes.conf
     What is offered to peers, one a line:

     name, number, type, octets
             defines an attribute and offers it; type is ident, enc, auth,
             some of them joined by ‘|’, or nothing, and octets the length of
             the key.

     name    offers one that is defined above.  AT_AH_ATTRIB and AT_ESP_ATTRIB
             begin the attributes of AH and of ESP; those before are for
             identification.

     address netmask
             begins a list for these peers.  The list before the first is for
             all others, and must be there.

   secrets.conf
     Names and secrets; nobody else may read it, and it must be no link.

     identity local "name" "secret"
             who we are.

     identity remote "name" "secret"
             whom we know.

     identity pair local "remote-name" "name" "secret"
             who we are for one peer.

     identity lookup "prefix" user
             reads .photuris_secrets in the user's home, too.

     Single quotes serve as well.

   photuris.startup
     Exchanges to begin: entries separated by empty lines, of the words that
     startkey(1) takes.

FILES
     /etc/photuris/photuris.pipe
             the FIFO through which startkey asks.

EXAMPLES
     secrets.conf of one host; on the other, the two secrets are exchanged:

           identity local  "Default" "alpha-secret"
           identity remote "Default" "beta-secret"

     photuris.startup:

           dst=208.2.2.2 options=enc,auth spi_lifetime=600
           tsrc=192.168.99.0/255.255.255.0
           tdst=208.1.2.0/255.255.255.0

SEE ALSO
     startkey(1), photurisd(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "photurisd.8": {
    source: "a5dbbd1d584c5c2d",
    text: `PHOTURISD(8)                System Manager's Manual               PHOTURISD(8)

NAME
     photurisd – negotiate keys with Photuris (RFC 2522)

SYNOPSIS
     photurisd [-cfinv] [-d directory] [-p port]

DESCRIPTION
     Negotiates keys with Photuris (RFC 2522, RFC 2523) for ESP and AH.  It
     reads its files, begins the exchanges of photuris.startup, goes into the
     background and logs to syslog.  Requests come from startkey through the
     FIFO photuris.pipe, and from the IPsec engine when a flow needs keys.

     -c      test that the moduli of photuris.conf are safe primes; without it
             they are trusted

     -d directory
             where the files are (/etc/photuris)

     -f      stay in the foreground and log to standard error

     -i      do not begin the exchanges of photuris.startup; they still say
             what its hosts get when they begin themselves

     -n      read the files, say what is wrong with them, start nothing

     -p port
             UDP port (468)

     -v      as -i ("VPN mode" of OpenBSD 2.5 to 2.8), and log more

     Files in the directory: photuris.conf (moduli, schemes, times),
     attributes.conf (algorithms), secrets.conf (names and secrets; must be
     private), photuris.startup (exchanges to begin).  SIGHUP reads them anew
     and forgets all exchanges.  SIGTERM and SIGINT end the daemon: peers are
     told, and the SAs and flows that it made are removed.  Its process id is
     in /run/ipsecbox/photurisd.pid (the directory is moved by IPSECBOX_RUN).

FILES
     /etc/photuris/
             the files of photuris.conf(5)

     /run/ipsecbox/photurisd.pid
             process id

     /etc/photuris/photuris.pipe
             where requests come in

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Look at the files, then run in the foreground:

           photurisd -n && photurisd -f

     As user _ipsecbox, once sysusers.d has made it:

           chgrp -R _ipsecbox /etc/photuris
           chmod -R u=rwX,g=rX,o= /etc/photuris

DIAGNOSTICS
     Ready: DIRECTORY, port NUMBER, process NUMBER
             It listens.

     the IPsec engine has gone
             Start the engine again.

     No answer from ADDRESS port NUMBER
             The peer does not run photurisd, or a packet filter drops UDP
             port 468 in one direction.

     could not verify us as
             The two have different secrets, or the peer lacks an "identity
             remote" of that name: in secrets.conf, "local" of one side is
             "remote" of the other.

     is short of resources; waiting longer before asking again
             The peer has an exchange with us that we have forgotten, or too
             many; in the first case it is named at the next timeout and the
             peer answers.

     Cannot get an SPI for
             Usually AH or ESP is switched off: the line says which sysctl
             switches it on.

     the IPsec engine has not answered
             It hangs, and counts as gone until it answers; keys for what had
             some are made anew then.

     The configuration stays as it was
             After SIGHUP a file had a fault, which is named before.

     lets others at it
             chmod 600 secrets.conf, or mode 0640 and group _ipsecbox.

SEE ALSO
     startkey(1), photuris.conf(5), ipsecbox(8), ipsecbox-enc(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "rc.vpn.8": {
    source: "de25cca9bee34c07",
    text: `RC.VPN(8)                   System Manager's Manual                  RC.VPN(8)

NAME
     rc.vpn – set up manual keying between networks from a few variables

SYNOPSIS
     vpn [FILE]

DESCRIPTION
     Sets up manual keying between two security gateways and the networks
     behind them: two SAs and flows for every pair.  The variables come from
     FILE (assignments as a shell has them) or from the environment; FILE's
     count more.

     GW_LOCAL
             address of this gateway

     GW_PEER
             address of the other gateway

     LOCAL_NET_0, LOCAL_NET_1, ...
             networks behind this gateway, NET/MASK

     REMOTE_NET_0, REMOTE_NET_1, ...
             networks behind the other one

     ENC, AUTH
             algorithms of ipsecadm (3des, sha1)

     SPI_OUT, SPI_IN
             SPIs (1000, 1001); on the other gateway the two are exchanged

     KEYFILE, AUTHKEYFILE
             key files (/etc/esp-enc-key, /etc/esp-auth-key)

     DEBUG   echo: print the ipsecadm commands instead of running them

     The names of OpenBSD 3.x work, too: GW_REMOTE, LOCAL_NETWORKS and
     REMOTE_NETWORKS (lists of NET/LENGTH, and an empty ENC leaves the SAs to
     isakmpd).  Keys: "ipsecbox genkey 192 > /etc/esp-enc-key", "ipsecbox
     genkey 160 > /etc/esp-auth-key", chmod 600, and the same on the other
     gateway.

     example:

           GW_LOCAL=208.1.1.1 GW_PEER=208.2.2.2 \\
           LOCAL_NET_0=192.168.99.0/255.255.255.0 \\
           REMOTE_NET_0=208.1.2.0/255.255.255.0 REMOTE_NET_1=208.1.5.0/255.255.255.0 \\
           DEBUG=echo ipsecbox vpn

FILES
     /etc/esp-enc-key
             key of the cipher

     /etc/esp-auth-key
             key of the hash

EXIT STATUS
     0 on success, another on failure, which one line on standard error
     explains.

EXAMPLES
     Print what would be done:

           DEBUG=echo GW_LOCAL=192.0.2.1 GW_PEER=192.0.2.2 \\
               LOCAL_NET_0=10.1.0.0/255.255.255.0 \\
               REMOTE_NET_0=10.2.0.0/255.255.255.0 ipsecbox rc.vpn

SEE ALSO
     ipsecadm(8), ipsecbox(8), ipsecbox-genkey(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
  "startkey.1": {
    source: "1ea3f22d6b1df255",
    text: `STARTKEY(1)                 General Commands Manual                STARTKEY(1)

NAME
     startkey – ask photurisd for keys with a host

SYNOPSIS
     startkey [-n] [-w seconds] [-d directory] key=value ...

DESCRIPTION
     Asks photurisd for keys with a host, and waits for the outcome: status 0
     when keys are established, 1 when not.  The outcome is told in one line.

     -d directory
             photurisd's directory (/etc/photuris)

     -n      do not wait: status 0 when photurisd has been asked

     -w seconds
             wait so long at most (180)

     Keys:

     dst=ADDRESS
             the host; needed

     port=PORT
             its UDP port (photurisd's own)

     options=enc,auth
             what is wanted: ESP, AH or both (both)

     tsrc=ADDRESS/MASK
             with tdst: packets from tsrc to tdst go through a tunnel to the
             host

           tdst=ADDRESS/MASK
           exchange_lifetime=SECONDS life of the exchange's secret (photuris.conf)

     spi_lifetime=SECONDS
             life of session keys (photuris.conf)

     user=NAME
             with the secrets of this user

     Example: startkey dst=192.168.25.9 options=auth

FILES
     /etc/photuris/photuris.pipe
             the FIFO

EXIT STATUS
     0 when keys are established, 1 when not.

EXAMPLES
     AH between two hosts, and a tunnel:

           startkey dst=192.0.2.2 options=auth
           startkey dst=192.0.2.2 options=enc \\
               tsrc=10.1.0.0/255.255.255.0 tdst=10.2.0.0/255.255.255.0

DIAGNOSTICS
     no outcome after NUMBER seconds
             photurisd is still asking; its log says what it waits for.

     cannot wait in DIRECTORY
             photurisd has another directory ( -d), or is not started.

SEE ALSO
     photuris.conf(5), ipsecbox(8), photurisd(8)

ipsecbox                       November 24, 2026                      ipsecbox
`,
  },
};
