/** Steps of the demonstration: progress for people on stderr, the result for programs on stdout. */
export interface StepResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen, or what was expected instead. */
  readonly detail: string;
}

/** A claim that did not hold. */
export class ClaimFailed extends Error {}

/** Throws ClaimFailed with `text` unless `condition` holds. */
export function claim(condition: boolean, text: string): asserts condition {
  if (!condition) throw new ClaimFailed(text);
}

export class Report {
  readonly steps: StepResult[] = [];

  get ok(): boolean {
    return this.steps.length > 0 && this.steps.every((step) => step.ok);
  }

  /** Progress: one or more lines for people. */
  say(text: string): void {
    process.stderr.write(`${text.replace(/^/gm, '    ')}\n`);
  }

  /**
   * Runs one step: `why` explains it to people, `body` returns what it saw. A step that throws fails; later steps run all the same
   * unless `essential`, which rethrows.
   */
  async step(name: string, why: string, body: () => Promise<string>, essential = false): Promise<void> {
    const started = performance.now();
    process.stderr.write(`\n[${this.steps.length + 1}] ${name}\n`);
    this.say(why);
    try {
      const detail = await body();
      this.steps.push({ name, ok: true, detail });
      process.stderr.write(`${detail.replace(/^/gm, '  > ')}\n  ok (${((performance.now() - started) / 1000).toFixed(1)} s)\n`);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.steps.push({ name, ok: false, detail });
      process.stderr.write(`${detail.replace(/^/gm, '  > ')}\n  FAILED\n`);
      if (essential) throw error;
    }
  }
}
