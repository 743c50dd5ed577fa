/** What the OSPFv3 part of a file must hold. */
import { MAX_INTERFACES } from '../ospf/constants.js';
import type { Finding } from './check.js';
import type { FileConfig } from './schema.js';

/** Announcements are renewed after a third of their validity, and an LSA every 5 s at most (MinLSInterval): what is shorter expires in between. */
const LEAST_VALIDITY_MS = 15_000;

function checkValidity({ cpn, hierarchy }: FileConfig): Finding[] {
  const stated: readonly (readonly [Finding['path'], number | undefined])[] = [
    [['cpn', 'announce', 'validity'], cpn.announce.validity],
    ...cpn.services.map(({ announce }, index) => [['cpn', 'services', index, 'announce', 'validity'], announce?.validity] as const),
    [['hierarchy', 'inward', 'validity'], hierarchy?.inward?.validity],
  ];
  return stated.flatMap(([path, validity = 0]) =>
    validity === 0 || validity >= LEAST_VALIDITY_MS
      ? []
      : [{ path, expected: `0, or at least ${LEAST_VALIDITY_MS / 1000}s where OSPFv3 announces computing state: an LSA is renewed every 5s at most`, found: `${validity / 1000}s` }],
  );
}

export function checkOspf(config: FileConfig): Finding[] {
  const { ospf, interfaces } = config;
  if (!ospf) return [];
  const findings: Finding[] = [];
  const refuse = (path: Finding['path'], expected: string, found: string): void => {
    findings.push({ path: ['ospf', ...path], expected, found });
  };
  for (const [name, options] of Object.entries(ospf.interfaces)) {
    const path = ['interfaces', name];
    const { dead, hello, area, authentication } = options;
    if (dead !== undefined && dead <= hello) refuse([...path, 'dead'], `longer than hello (${hello / 1000}s)`, `${dead / 1000}s`);
    if (area !== undefined && area !== ospf.area) {
      refuse([...path, 'area'], `${ospf.area}, the area of all interfaces: this router is no area border router (run one router an area, joined by BGP)`, area);
    }
    const role = interfaces[name]?.role ?? 'core';
    if (role !== 'core' && !options.passive) refuse([...path, 'passive'], `true on an interface with role ${role}, whose neighbors are no routers`, 'false');
    const ids = authentication.map(({ keyId }) => keyId);
    const twice = ids.findIndex((id, index) => ids.indexOf(id) !== index);
    if (twice >= 0) refuse([...path, 'authentication', twice, 'keyId'], 'a key ID that no other key of the interface has', String(ids[twice]));
  }
  const count = Object.keys(ospf.interfaces).length;
  if (count === 0) refuse(['interfaces'], 'at least one interface', 'none');
  if (count > MAX_INTERFACES) refuse(['interfaces'], `at most ${MAX_INTERFACES} interfaces`, String(count));
  return ospf.computing ? [...findings, ...checkValidity(config)] : findings;
}
