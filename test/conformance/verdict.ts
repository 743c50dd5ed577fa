/** How a case ends. A case that returns has passed; the other ends are thrown, so that helpers deep down can end it. */

export type Result = 'pass' | 'fail' | 'not applicable' | 'inconclusive';

class Ending extends Error {
  constructor(
    readonly result: Exclude<Result, 'pass'>,
    text: string,
  ) {
    super(text);
  }
}

/** The target did something else than the RFC says; `seen` tells what, with the octets where there are any. */
export const fail = (seen: string): never => {
  throw new Ending('fail', seen);
};

/** The target did not offer what the case is about, or is not configured for it. */
export const notApplicable = (reason: string): never => {
  throw new Ending('not applicable', reason);
};

/** What has to come before could not be reached, so nothing can be said. */
export const inconclusive = (reason: string): never => {
  throw new Ending('inconclusive', reason);
};

export function verify(condition: boolean, seen: string): asserts condition {
  if (!condition) fail(seen);
}

export interface Verdict {
  readonly result: Result;
  readonly seen: string;
}

export const verdictOf = (error: unknown): Verdict => {
  if (error instanceof Ending) return { result: error.result, seen: error.message };
  return { result: 'inconclusive', seen: `the tester failed: ${error instanceof Error ? error.message : String(error)}` };
};
