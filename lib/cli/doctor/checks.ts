/** Everything that the doctor looks at, in the order in which findings are told: causes before their effects. @module */
import type { Context } from "./context.ts";
import { checkIsakmpdFiles, checkPhoturisFiles } from "./files.ts";
import type { Finding } from "./finding.ts";
import { checkFirewall } from "./firewall.ts";
import { checkMtu, checkReachability, checkTunnel } from "./paths.ts";
import { checkFlows, checkNamedSas, checkSas } from "./policy.ts";
import { checkForwarding, checkReversePath, checkRoutes } from "./routing.ts";
import {
  checkCapabilities,
  checkEngine,
  checkKnobs,
  checkLibcrypto,
  checkNft,
  checkPorts,
  checkRunDirectory,
  checkTun,
} from "./system.ts";
import { checkKeys, checkOneWay, checkSpis } from "./traffic.ts";

export const CHECKS: readonly ((context: Context) => Finding[])[] = [
  checkCapabilities,
  checkTun,
  checkEngine,
  checkRunDirectory,
  checkKnobs,
  checkPorts,
  checkFirewall,
  checkForwarding,
  checkReversePath,
  checkRoutes,
  checkReachability,
  checkMtu,
  checkFlows,
  checkNamedSas,
  checkSas,
  checkKeys,
  checkSpis,
  checkOneWay,
  checkTunnel,
  checkIsakmpdFiles,
  checkPhoturisFiles,
  checkNft,
  checkLibcrypto,
];
