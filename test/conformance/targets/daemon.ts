/** What a daemon under test has in common with others: how it is named, configured and started. */
import type { Profile } from '../target.js';

export const targetAs = 65000;
export const testerAs = 65001;
export const collectorAs = 65002;
export const password = 'conformance';
export const servicePrefix = '2001:db8:5e::/48';
export const targetIdentifier = '10.99.0.1';
/** Prefixes that a neighbour of the kind `limited` may announce. */
export const prefixLimit = 5;

export interface Daemon {
  readonly name: string;
  /** Kinds of neighbours that it can be configured with. */
  readonly profiles: readonly Profile[];
  /** Program and version, as the daemon itself says it. Throws when it is not installed. */
  version(): string;
  /** Writes what it needs into `directory` and returns the commands to run in its namespace, each of which stays in the foreground. */
  prepare(directory: string): readonly (readonly string[])[];
}
