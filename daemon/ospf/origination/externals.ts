/** AS-External-LSAs for routes that come from elsewhere (RFC 5340 section 4.4.3.5). */
import type { Prefix } from '../../../dataplane/packet/ip.js';
import { encodeExternalBody } from '../wire/lsa/external.js';
import { LsType } from '../wire/types.js';
import { LinkStateIds } from './link-state-ids.js';
import type { OwnLsas } from './own-lsas.js';

export interface ExternalRoute {
  readonly prefix: Prefix;
  /** 0..16777214 */
  readonly metric: number;
  readonly type: 1 | 2;
  readonly tag: number | undefined;
  /** Global address that packets go to instead of to this router. */
  readonly forwarding: string | undefined;
}

export class ExternalOriginator {
  private readonly ids = new LinkStateIds();
  private announced = new Set<string>();

  constructor(private readonly own: OwnLsas) {}

  get size(): number {
    return this.announced.size;
  }

  /** All routes there are to be; others are taken back. */
  set(routes: readonly ExternalRoute[]): void {
    const announced = new Set<string>();
    for (const { prefix, metric, type, tag, forwarding } of routes) {
      const key = prefix.toString();
      announced.add(key);
      const body = encodeExternalBody({ prefix, options: 0, metric, type2: type === 2, forwarding, tag, referenced: undefined });
      this.own.originate({ type: LsType.asExternal, id: this.ids.take(key) }, body);
    }
    for (const key of this.announced) {
      if (announced.has(key)) continue;
      this.own.flush({ type: LsType.asExternal, id: this.ids.take(key) });
      this.ids.release(key);
    }
    this.announced = announced;
  }
}
