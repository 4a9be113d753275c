import { assertEquals, assertThrows } from "@std/assert";
import * as structs from "../../lib/ffi/structs.ts";

// Every value as the C compiler of each architecture has it (tests/vectors/abi/generate.sh).
const ABI: Record<structs.Architecture, Record<string, number>> = JSON.parse(
  Deno.readTextFileSync(new URL("../vectors/abi/abi.json", import.meta.url)),
);
/** Padding that C does not name. */
const PADDING = new Set(["pad", "zero", "rest", "more", "last"]);
const TABLES = ["IOCTL", "OPEN", "TUN", "SOCKET", "OPTION", "PMTU", "EPOLL"] as const;

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
  for (const table of TABLES) {
    const rows = table === "OPEN" ? { ...structs.OPEN, ...structs.OPEN_BY_ARCHITECTURE[architecture] } : structs[table];
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
