/** A case: one requirement of one RFC, and how to see whether a speaker meets it. */
import type { Tester } from './tester.js';

export type Level = 'MUST' | 'SHOULD';

export interface Case {
  /** RFC number, or CPN for proto/WIRE.md section 2. */
  readonly rfc: string;
  /** Unique over all RFCs, beginning with the RFC. */
  readonly id: string;
  readonly section: string;
  readonly level: Level;
  /** What is done. */
  readonly title: string;
  /** What the RFC says must, or should, come of it. */
  readonly expects: string;
  run(tester: Tester): Promise<void>;
}

type Definition = readonly [level: Level, name: string, section: string, title: string, expects: string, run: (tester: Tester) => Promise<void>];

/** The cases of one RFC, with IDs made of its number and their names. */
export const casesOf = (rfc: string, definitions: readonly Definition[]): Case[] =>
  definitions.map(([level, name, section, title, expects, run]) => ({ rfc, id: `${rfc}-${name}`, section, level, title, expects, run }));
