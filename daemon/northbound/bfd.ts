/** The BFD service of the API: what it needs of the router, and its method. */
import { bfdMethods } from '../../proto/methods.js';
import type { BfdSessionView, BfdView } from '../bfd/types.js';
import { canonicalIp } from '../../dataplane/packet/ip.js';
import { FacadeError } from './facade.js';
import type { Transport } from './transport.js';

export interface BfdSessionEntry extends Omit<BfdSessionView, 'counters' | 'history'> {
  readonly counters: Readonly<Record<string, bigint>>;
  readonly history: readonly { readonly unixMs: bigint; readonly state: string; readonly diagnostic: string }[];
}

export interface BfdSessions {
  readonly sessions: readonly BfdSessionEntry[];
  readonly discards: Readonly<Record<string, bigint>>;
}

export interface BfdFacade {
  view(): Promise<BfdView>;
}

export function bfdService(transport: Transport, facade: BfdFacade): void {
  transport.unary(bfdMethods.listBfdSessions, async ({ peer }) => {
    const only = peer === undefined ? undefined : canonicalIp(peer);
    if (peer !== undefined && only === undefined) throw new FacadeError('invalid', `peer: ${JSON.stringify(peer)} is not an IP address`);
    const { sessions, discards } = await facade.view();
    const wanted = sessions.filter((session) => only === undefined || session.peer === only);
    if (only !== undefined && wanted.length === 0) throw new FacadeError('notFound', `no BFD session with ${only}`);
    return { sessions: wanted.map(entryOf), discards: bigints(discards) };
  });
}

const bigints = (counts: object): Record<string, bigint> => Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, BigInt(count as number)]));

const entryOf = ({ counters, history, ...view }: BfdSessionView): BfdSessionEntry => ({
  ...view,
  counters: bigints(counters),
  history: history.map(({ at, state, diagnostic }) => ({ unixMs: BigInt(Math.floor(at)), state, diagnostic })),
});
