/** Runs cases against a target, several at a time, each bounded. */
import type { Case } from './case.js';
import type { Target } from './target.js';
import { Bench, Tester } from './tester.js';
import { type Verdict, verdictOf } from './verdict.js';

export interface Finding extends Verdict {
  readonly case: Case;
  readonly ms: number;
}

const caseMs = 45_000;

async function runCase(entry: Case, bench: Bench): Promise<Finding> {
  const tester = new Tester(bench);
  const started = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => resolve({ result: 'inconclusive', seen: `not over within ${caseMs} ms` }), caseMs);
  });
  const done = entry.run(tester).then((): Verdict => ({ result: 'pass', seen: '' }), verdictOf);
  const verdict = await Promise.race([done, late]);
  clearTimeout(timer);
  await tester.end();
  return { case: entry, ms: Math.round(performance.now() - started), ...verdict };
}

/** Throws when the target does not answer at all: no case could say anything then. */
async function reach(bench: Bench): Promise<void> {
  const tester = new Tester(bench);
  try {
    await tester.established('external');
  } finally {
    await tester.end();
  }
}

/**
 * Findings in the order of `cases`; `report` hears of each as it comes. What did not pass among others is tried once more alone, and that
 * result stands: a target that breaks down in one case does not fail the cases beside it, nor does a busy machine.
 */
export async function runSuite(cases: readonly Case[], target: Target, jobs: number, report: (finding: Finding) => void): Promise<Finding[]> {
  const bench = new Bench(target);
  await reach(bench);
  const findings = new Map<Case, Finding>();
  const queue = [...cases];
  const work = async (): Promise<void> => {
    for (let entry = queue.shift(); entry; entry = queue.shift()) findings.set(entry, await runCase(entry, bench));
  };
  await Promise.all(Array.from({ length: jobs }, work));
  for (const entry of cases) {
    const { result } = findings.get(entry)!;
    if (jobs > 1 && (result === 'fail' || result === 'inconclusive')) findings.set(entry, await runCase(entry, bench));
    report(findings.get(entry)!);
  }
  return cases.map((entry) => findings.get(entry)!);
}
