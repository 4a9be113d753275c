/** The sources of the manual pages, for `install`; made by scripts/man.ts. @module */
import certpatch8 from "../../../docs/man/certpatch.8" with { type: "text" };
import ipsecadm8 from "../../../docs/man/ipsecadm.8" with { type: "text" };
import ipsecboxBench8 from "../../../docs/man/ipsecbox-bench.8" with { type: "text" };
import ipsecboxCheck8 from "../../../docs/man/ipsecbox-check.8" with { type: "text" };
import ipsecboxCompletion8 from "../../../docs/man/ipsecbox-completion.8" with { type: "text" };
import ipsecboxDoctor8 from "../../../docs/man/ipsecbox-doctor.8" with { type: "text" };
import ipsecboxDump8 from "../../../docs/man/ipsecbox-dump.8" with { type: "text" };
import ipsecboxEnc8 from "../../../docs/man/ipsecbox-enc.8" with { type: "text" };
import ipsecboxGenkey8 from "../../../docs/man/ipsecbox-genkey.8" with { type: "text" };
import ipsecboxInstall8 from "../../../docs/man/ipsecbox-install.8" with { type: "text" };
import ipsecboxKernIpsec8 from "../../../docs/man/ipsecbox-kern-ipsec.8" with { type: "text" };
import ipsecboxMan8 from "../../../docs/man/ipsecbox-man.8" with { type: "text" };
import ipsecboxNetstat8 from "../../../docs/man/ipsecbox-netstat.8" with { type: "text" };
import ipsecboxPki8 from "../../../docs/man/ipsecbox-pki.8" with { type: "text" };
import ipsecboxPolicy8 from "../../../docs/man/ipsecbox-policy.8" with { type: "text" };
import ipsecboxRcConf5 from "../../../docs/man/ipsecbox-rc.conf.5" with { type: "text" };
import ipsecboxStatus8 from "../../../docs/man/ipsecbox-status.8" with { type: "text" };
import ipsecboxSysctl8 from "../../../docs/man/ipsecbox-sysctl.8" with { type: "text" };
import ipsecboxSysctlConf5 from "../../../docs/man/ipsecbox-sysctl.conf.5" with { type: "text" };
import ipsecboxTop8 from "../../../docs/man/ipsecbox-top.8" with { type: "text" };
import ipsecboxUninstall8 from "../../../docs/man/ipsecbox-uninstall.8" with { type: "text" };
import ipsecbox8 from "../../../docs/man/ipsecbox.8" with { type: "text" };
import isakmpd8 from "../../../docs/man/isakmpd.8" with { type: "text" };
import isakmpdConf5 from "../../../docs/man/isakmpd.conf.5" with { type: "text" };
import isakmpdPolicy5 from "../../../docs/man/isakmpd.policy.5" with { type: "text" };
import keynote1 from "../../../docs/man/keynote.1" with { type: "text" };
import photurisConf5 from "../../../docs/man/photuris.conf.5" with { type: "text" };
import photurisd8 from "../../../docs/man/photurisd.8" with { type: "text" };
import rcVpn8 from "../../../docs/man/rc.vpn.8" with { type: "text" };
import startkey1 from "../../../docs/man/startkey.1" with { type: "text" };

/** By file name with section. */
export const MAN_SOURCES: Readonly<Record<string, string>> = {
  "certpatch.8": certpatch8,
  "ipsecadm.8": ipsecadm8,
  "ipsecbox-bench.8": ipsecboxBench8,
  "ipsecbox-check.8": ipsecboxCheck8,
  "ipsecbox-completion.8": ipsecboxCompletion8,
  "ipsecbox-doctor.8": ipsecboxDoctor8,
  "ipsecbox-dump.8": ipsecboxDump8,
  "ipsecbox-enc.8": ipsecboxEnc8,
  "ipsecbox-genkey.8": ipsecboxGenkey8,
  "ipsecbox-install.8": ipsecboxInstall8,
  "ipsecbox-kern-ipsec.8": ipsecboxKernIpsec8,
  "ipsecbox-man.8": ipsecboxMan8,
  "ipsecbox-netstat.8": ipsecboxNetstat8,
  "ipsecbox-pki.8": ipsecboxPki8,
  "ipsecbox-policy.8": ipsecboxPolicy8,
  "ipsecbox-rc.conf.5": ipsecboxRcConf5,
  "ipsecbox-status.8": ipsecboxStatus8,
  "ipsecbox-sysctl.8": ipsecboxSysctl8,
  "ipsecbox-sysctl.conf.5": ipsecboxSysctlConf5,
  "ipsecbox-top.8": ipsecboxTop8,
  "ipsecbox-uninstall.8": ipsecboxUninstall8,
  "ipsecbox.8": ipsecbox8,
  "isakmpd.8": isakmpd8,
  "isakmpd.conf.5": isakmpdConf5,
  "isakmpd.policy.5": isakmpdPolicy5,
  "keynote.1": keynote1,
  "photuris.conf.5": photurisConf5,
  "photurisd.8": photurisd8,
  "rc.vpn.8": rcVpn8,
  "startkey.1": startkey1,
};
