/** What the daemon and the process that runs BFD say to each other. */
import type { BfdEvent } from './service.js';
import type { BfdChange, BfdConfig, BfdRequest, BfdVerdict, BfdView } from './types.js';

export type ToChild =
  /** The first word. */
  | { readonly do: 'start'; readonly config: BfdConfig }
  | { readonly do: 'register'; readonly id: number; readonly request: BfdRequest }
  | { readonly do: 'unregister'; readonly id: number }
  | { readonly do: 'configure'; readonly config: BfdConfig }
  | { readonly do: 'view'; readonly id: number }
  | { readonly do: 'close' };

export type FromChild =
  | { readonly kind: 'verdict'; readonly id: number; readonly verdict: BfdVerdict; readonly change: BfdChange }
  | { readonly kind: 'event'; readonly event: BfdEvent }
  | { readonly kind: 'view'; readonly id: number; readonly view: BfdView };
