/** The SA payload's proposals and transforms (RFC 2408 3.5, 3.6, 4.2; RFC 2407 4.4). @module */
import { Builder } from "../octets/builder.ts";
import type { Bytes } from "../octets/bytes.ts";
import { Reader } from "../octets/reader.ts";
import { type Attribute, decodeAttributes, encodeAttributes } from "./attributes.ts";
import { decoding, IsakmpError } from "./error.ts";
import {
  AH_TRANSFORM,
  DOI,
  ESP_TRANSFORM,
  IPCOMP_TRANSFORM,
  ISAKMP_TRANSFORM,
  nameOf,
  PAYLOAD,
  PROTOCOL_ID,
  type Registry,
  SITUATION,
} from "./numbers.ts";
import { SA_LAYOUT } from "./payloads.ts";

export interface Transform {
  readonly number: number;
  /** Transform identifier; its registry depends on the protocol. */
  readonly id: number;
  readonly attributes: readonly Attribute[];
}

export interface Proposal {
  /** Proposals with the same number belong together (AND), others are alternatives (OR). */
  readonly number: number;
  /** A value of PROTOCOL_ID. */
  readonly protocol: number;
  readonly spi: Bytes;
  readonly transforms: readonly Transform[];
}

/** The body of an SA payload. */
export interface SaPayload {
  readonly doi: number;
  readonly situation: number;
  readonly proposals: readonly Proposal[];
}

/** Enough for any sane peer, and a bound for the others. */
const MOST_PROPOSALS = 32;
const MOST_TRANSFORMS = 255;
const MOST_SPI_OCTETS = 16;

const syntax = (text: string) => new IsakmpError("BAD_PROPOSAL_SYNTAX", text);

function decodeTransforms(reader: Reader, count: number): Transform[] {
  const transforms: Transform[] = [];
  for (let more = true; more;) {
    const next = reader.u8("next transform");
    if (next !== PAYLOAD.TRANSFORM && next !== PAYLOAD.NONE) throw syntax(`transform followed by payload type ${next}`);
    reader.skip(1, "reserved");
    const length = reader.u16("transform length");
    if (length < 8) throw syntax(`transform of ${length} octets, at least 8 needed`);
    const body = reader.sub(length - 4, "transform");
    const number = body.u8("transform number");
    const id = body.u8("transform identifier");
    body.skip(2, "reserved");
    transforms.push({ number, id, attributes: decodeAttributes(body.rest()) });
    more = next === PAYLOAD.TRANSFORM;
  }
  if (transforms.length !== count) {
    throw syntax(`proposal says ${count} transforms and has ${transforms.length}`);
  }
  return transforms;
}

/** @throws {IsakmpError} */
export function decodeProposals(octets: Uint8Array): Proposal[] {
  return decoding("SA payload", () => {
    const reader = new Reader(octets);
    const proposals: Proposal[] = [];
    for (let more = true; more;) {
      if (proposals.length === MOST_PROPOSALS) throw syntax(`more than ${MOST_PROPOSALS} proposals`);
      const next = reader.u8("next proposal");
      if (next !== PAYLOAD.PROPOSAL && next !== PAYLOAD.NONE) throw syntax(`proposal followed by payload type ${next}`);
      reader.skip(1, "reserved");
      const length = reader.u16("proposal length");
      if (length < 8) throw syntax(`proposal of ${length} octets, at least 8 needed`);
      const body = reader.sub(length - 4, "proposal");
      const number = body.u8("proposal number");
      const protocol = body.u8("protocol");
      const spiOctets = body.u8("SPI size");
      const count = body.u8("number of transforms");
      if (spiOctets > MOST_SPI_OCTETS) throw syntax(`SPI of ${spiOctets} octets, at most ${MOST_SPI_OCTETS} allowed`);
      if (count === 0) throw syntax("proposal without transforms");
      const spi = body.copy(spiOctets, "SPI");
      const transforms = decodeTransforms(body, count);
      body.end("proposal");
      const before = proposals.at(-1)?.number;
      if (before !== undefined && number < before) throw syntax(`proposal ${number} after proposal ${before}`);
      proposals.push({ number, protocol, spi, transforms });
      more = next === PAYLOAD.PROPOSAL;
    }
    if (proposals.reduce((sum, proposal) => sum + proposal.transforms.length, 0) > MOST_TRANSFORMS) {
      throw syntax(`more than ${MOST_TRANSFORMS} transforms`);
    }
    reader.end("SA payload");
    return proposals;
  }, "BAD_PROPOSAL_SYNTAX");
}

/** @throws {IsakmpError} also on another DOI or situation (RFC 2407 4.2.1: identity only). */
export function decodeSa(body: Uint8Array): SaPayload {
  const { doi, situation, proposals } = SA_LAYOUT.decode(body);
  if (doi !== DOI.IPSEC) throw new IsakmpError("DOI_NOT_SUPPORTED", `SA payload: DOI ${doi}, 1 allowed`);
  if (situation !== SITUATION.IDENTITY_ONLY) {
    throw new IsakmpError("SITUATION_NOT_SUPPORTED", `SA payload: situation ${situation}, 1 (identity only) allowed`);
  }
  return { doi, situation, proposals: decodeProposals(proposals) };
}

/** The body of an SA payload for the IPsec DOI. */
export function encodeSa(proposals: readonly Proposal[]): Bytes {
  const builder = new Builder();
  proposals.forEach(({ number, protocol, spi, transforms }, p) => {
    builder.u8(p + 1 < proposals.length ? PAYLOAD.PROPOSAL : PAYLOAD.NONE).u8(0).sized(2, () => {
      builder.u8(number).u8(protocol).u8(spi.length).u8(transforms.length).bytes(spi);
      transforms.forEach((transform, t) => {
        builder.u8(t + 1 < transforms.length ? PAYLOAD.TRANSFORM : PAYLOAD.NONE).u8(0).sized(2, () => {
          builder.u8(transform.number).u8(transform.id).u16(0).bytes(encodeAttributes(transform.attributes));
        }, 4);
      });
    }, 4);
  });
  return SA_LAYOUT.encode({ doi: DOI.IPSEC, situation: SITUATION.IDENTITY_ONLY, proposals: builder.finish() });
}

const TRANSFORM_REGISTRIES: Readonly<Record<number, Registry>> = {
  [PROTOCOL_ID.ISAKMP]: ISAKMP_TRANSFORM,
  [PROTOCOL_ID.IPSEC_AH]: AH_TRANSFORM,
  [PROTOCOL_ID.IPSEC_ESP]: ESP_TRANSFORM,
  [PROTOCOL_ID.IPCOMP]: IPCOMP_TRANSFORM,
};

/** The registry's name of a transform identifier of `protocol`. */
export const transformName = (protocol: number, id: number): string => nameOf(TRANSFORM_REGISTRIES[protocol] ?? {}, id);
