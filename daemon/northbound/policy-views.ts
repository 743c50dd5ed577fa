/** BGP policies as the API shows them. */

/** accept, reject or continue. */
type PolicyAction = string;

export interface BgpPolicyView {
  readonly name: string;
  readonly description: string;
  readonly rules: readonly {
    /** From 1. */
    readonly rule: number;
    readonly name: string;
    readonly match: string;
    readonly set: string;
    readonly action: PolicyAction;
    /** Routes it applied to since the policies were configured. */
    readonly hits: bigint;
  }[];
  readonly defaultAction: PolicyAction;
  readonly defaultHits: bigint;
}

/** A route that need not exist, as text; empty where nothing is known. */
export interface BgpPolicyTest {
  readonly name: string;
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: string;
  readonly communities: readonly string[];
  readonly extendedCommunities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly origin: string;
  readonly source: string;
  readonly peer: string;
}

/** What the policy makes of it. */
export interface BgpPolicyVerdict {
  readonly accepted: boolean;
  /** The rule that decided. */
  readonly by: string;
  /** Rule 0 is the default; `unmet` is the first condition that did not hold. */
  readonly steps: readonly { readonly rule: number; readonly name: string; readonly matched: boolean; readonly unmet: string | undefined; readonly action: PolicyAction }[];
  readonly asPath: string;
  readonly communities: readonly string[];
  readonly extendedCommunities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly origin: string;
  /** When a rule sets it. */
  readonly nextHop: string | undefined;
}
