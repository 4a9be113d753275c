import { assertEquals, assertThrows } from "@std/assert";
import { ERRNO } from "../../lib/ffi/errno.ts";
import * as structs from "../../lib/ffi/structs.ts";
import { CAPTURE } from "../../lib/linux/capture.ts";
import { ATTRIBUTE_OCTETS, HEADER_OCTETS, NLM, NLMSG } from "../../lib/linux/netlink.ts";
import { CAPABILITIES, PRIVILEGES } from "../../lib/linux/privileges.ts";
import * as rtnetlink from "../../lib/linux/rtnetlink.ts";

// Every value as the C compiler of each architecture has it (tests/vectors/abi/generate.sh).
const ABI: Record<structs.Architecture, Record<string, number>> = JSON.parse(
  Deno.readTextFileSync(new URL("../vectors/abi/abi.json", import.meta.url)),
);
/** Padding that C does not name. */
const PADDING = new Set(["pad", "zero", "rest", "more", "last"]);
/** Numbers by the table's name; those of structs.ts that are [level, name] become one number. */
const { IFA, IFF, IFLA, FRA, ROUTE_TYPES, RTA, RTM, RTNLGRP, RULE_ACTIONS, SCOPE, TABLE } = rtnetlink;
const { IOCTL, TUN, SOCKET, OPTION, PMTU, EPOLL } = structs;
const TABLES: Record<string, Readonly<Record<string, number | readonly [number, number]>>> = {
  ...{ IOCTL, OPEN: structs.OPEN, TUN, SOCKET, OPTION, PMTU, EPOLL, ERRNO, CAPTURE, CAPABILITIES, PRIVILEGES },
  ...{ NLM, NLMSG, IFA, IFF, IFLA, FRA, ROUTE_TYPES, RTA, RTM, RTNLGRP, RULE_ACTIONS, SCOPE, TABLE },
};
/** Structures that are written field by field: octets of what is written. */
const WRITTEN = {
  NLMSGHDR: HEADER_OCTETS,
  NLATTR: ATTRIBUTE_OCTETS,
  NLMSGERR: 4 + HEADER_OCTETS,
  IFINFOMSG: rtnetlink.dumpLinks().body.length,
  IFADDRMSG: rtnetlink.dumpAddresses().body.length,
  RTMSG: rtnetlink.dumpRoutes(4).body.length,
  FIB_RULE_HDR: rtnetlink.dumpRules(4).body.length,
  CPU_SET: structs.CPU_SET_OCTETS,
};

/** Ours under the names of abi.json. */
function ours(architecture: structs.Architecture): Map<string, number> {
  const values = new Map<string, number>();
  const addLayout = (name: string, { octets, at }: structs.Layout<string>) => {
    values.set(`${name}__octets`, octets);
    for (const [field, offset] of Object.entries(at)) if (!PADDING.has(field)) values.set(`${name}__${field}`, offset);
  };
  for (const [name, value] of Object.entries(structs) as [string, unknown][]) {
    if (typeof value !== "object" || value === null || !("octets" in value && "at" in value)) continue;
    addLayout(name, value as structs.Layout<string>);
  }
  addLayout("EPOLL_EVENT", structs.EPOLL_EVENT_BY_ARCHITECTURE[architecture]);
  for (const [name, octets] of Object.entries(WRITTEN)) values.set(`${name}__octets`, octets);
  for (const [table, common] of Object.entries(TABLES)) {
    const rows = table === "OPEN" ? { ...common, ...structs.OPEN_BY_ARCHITECTURE[architecture] } : common;
    for (const [name, value] of Object.entries(rows)) {
      values.set(`${table}__${name}`, typeof value === "number" ? value : value[0] * 65536 + value[1]);
    }
  }
  return values;
}

for (const architecture of structs.ARCHITECTURES) {
  Deno.test(`structures and numbers are those of ${architecture}'s C compiler`, () => {
    const values = ours(architecture);
    // Of the msghdr within a mmsghdr abi.json has only the first and the last field.
    for (const field of ["nameLength", "iov", "iovLength", "control", "controlLength"] as const) {
      assertEquals(structs.MMSGHDR.at[field], structs.MSGHDR.at[field]);
      values.delete(`MMSGHDR__${field}`);
    }
    assertEquals(Object.fromEntries([...values].sort()), Object.fromEntries(Object.entries(ABI[architecture]).sort()));
  });
}

Deno.test("fields are aligned to their own size and structures to their largest field", () => {
  const { at, octets, align } = structs.layout({ a: "u8", b: "pointer", c: "u16", d: 3, e: "u32" });
  assertEquals([at, octets, align], [{ a: 0, b: 8, c: 16, d: 18, e: 24 }, 32, 8]);
});

Deno.test("other systems and architectures are refused by name", () => {
  const build = Object.getOwnPropertyDescriptor(Deno, "build")!;
  try {
    Object.defineProperty(Deno, "build", { value: { ...Deno.build, arch: "riscv64" }, configurable: true });
    assertThrows(() => structs.architecture(), Error, "Cannot use system calls on linux riscv64");
  } finally {
    Object.defineProperty(Deno, "build", build);
  }
  assertEquals(structs.architecture(), Deno.build.arch);
});

Deno.test("system calls are made by the C library's names, so that no number of one is ours to know", () => {
  const source = Deno.readTextFileSync(new URL("../../lib/ffi/libc.ts", import.meta.url));
  const names = [...source.matchAll(/^ {2}(\w+): \{ (?:name: "(\w+)", )?parameters/gm)].map((match) =>
    match[2] ?? match[1]
  );
  assertEquals(names.includes("sendmmsg") && names.includes("epoll_wait"), true);
  assertEquals(names.includes("syscall"), false);
});
