/** BGP roles and the Only to Customer attribute against route leaks (RFC 9234). The role is that of this side of an eBGP session. */
import type { Exported, Imported } from './policy.js';
import { memo } from './policy/memo.js';
import type { Path } from './path.js';
import { type Destination, familyOfDestination, isVpn } from './wire/families.js';
import { ErrorCode, notification, OpenSubcode } from './wire/notification.js';
import type { NextHop, Notification, OpenMessage, PathAttributes } from './wire/types.js';

export type Role = 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer';

/** By their values in the capability (RFC 9234 section 4.1, table 1). */
const roles: readonly Role[] = ['provider', 'rs', 'rs-client', 'customer', 'peer'];

/** What the other side has to be (RFC 9234 section 4.2, table 2). */
const counterpart: Readonly<Record<Role, Role>> = { provider: 'customer', customer: 'provider', rs: 'rs-client', 'rs-client': 'rs', peer: 'peer' };

export const roleValue = (role: Role): number => roles.indexOf(role);
/** Undefined for values that nobody has assigned. */
export const roleOfValue = (value: number): Role | undefined => roles[value];

/** Role Mismatch, where the roles of both sides do not fit together (RFC 9234 section 4.2). */
export function roleFault(role: Role | undefined, strict: boolean, open: OpenMessage): Notification | undefined {
  if (role === undefined) return undefined;
  const said = open.capabilities.filter((capability) => capability.kind === 'role').map((capability) => capability.role);
  const fits = said.length === 0 ? !strict : said.every((other) => roles[other] === counterpart[role]);
  return fits ? undefined : notification(ErrorCode.open, OpenSubcode.roleMismatch);
}

type Import = (prefix: Destination, nextHop: NextHop, attributes: PathAttributes) => Imported;
type Export = (path: Path) => Exported | string;

/** RFC 9234 section 5: the procedures are those of unicast. */
const isSubject = (prefix: Destination): boolean => !isVpn(familyOfDestination(prefix));

/** Adds the ingress procedure of RFC 9234 section 5 to an import. */
export function importWithRole(role: Role | undefined, peerAs: number, importRoute: Import): Import {
  if (role === undefined) return importRoute;
  const marked = memo((attributes) => (marksOnImport(role) && attributes.onlyToCustomer === undefined ? { ...attributes, onlyToCustomer: peerAs } : attributes));
  return (prefix, nextHop, attributes) => {
    if (!isSubject(prefix)) return importRoute(prefix, nextHop, attributes);
    const imported = importRoute(prefix, nextHop, marked(attributes));
    return isLeak(role, peerAs, attributes) ? { ...imported, rejected: imported.rejected ?? 'route leak: Only to Customer (RFC 9234)' } : imported;
  };
}

/** A customer or a route server's client hands on what is for customers only, or a peer what another AS has marked. */
function isLeak(role: Role, peerAs: number, { onlyToCustomer }: PathAttributes): boolean {
  if (onlyToCustomer === undefined) return false;
  if (role === 'provider' || role === 'rs') return true;
  return role === 'peer' && onlyToCustomer !== peerAs;
}

/** Routes from a provider, a peer or a route server are for customers only from here on. */
const marksOnImport = (role: Role): boolean => role === 'customer' || role === 'peer' || role === 'rs-client';

/** Adds the egress procedure of RFC 9234 section 5 to an export. */
export function exportWithRole(role: Role | undefined, localAs: number, exportRoute: Export): Export {
  if (role === undefined) return exportRoute;
  const marks = role === 'provider' || role === 'peer' || role === 'rs';
  const marked = memo((attributes) => (marks && attributes.onlyToCustomer === undefined ? { ...attributes, onlyToCustomer: localAs } : attributes));
  return (path) => {
    if (!isSubject(path.prefix)) return exportRoute(path);
    if (path.attributes.onlyToCustomer !== undefined && marksOnImport(role)) return 'for customers only (RFC 9234)';
    const exported = exportRoute(path);
    return typeof exported === 'string' ? exported : { ...exported, attributes: marked(exported.attributes) };
  };
}
