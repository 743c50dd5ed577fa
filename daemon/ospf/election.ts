/** Election of Designated Router and Backup Designated Router (RFC 2328 section 9.4), routers named by Router ID as OSPFv3 does. */

/** What a router says in its Hellos; 0.0.0.0 (0) is nobody. */
export interface Candidate {
  readonly routerId: number;
  readonly priority: number;
  readonly designated: number;
  readonly backup: number;
}

export interface Elected {
  readonly designated: number;
  readonly backup: number;
}

/** Higher priority first, then higher Router ID. */
const best = (candidates: readonly Candidate[]): number =>
  candidates.reduce<Candidate | undefined>(
    (winner, candidate) => (winner && (winner.priority > candidate.priority || (winner.priority === candidate.priority && winner.routerId > candidate.routerId)) ? winner : candidate),
    undefined,
  )?.routerId ?? 0;

/** Steps 2 and 3. */
function calculate(eligible: readonly Candidate[]): Elected {
  const declaresItselfDesignated = (candidate: Candidate): boolean => candidate.designated === candidate.routerId;
  const forBackup = eligible.filter((candidate) => !declaresItselfDesignated(candidate));
  const declared = forBackup.filter((candidate) => candidate.backup === candidate.routerId);
  const backup = best(declared.length > 0 ? declared : forBackup);
  return { backup, designated: best(eligible.filter(declaresItselfDesignated)) || backup };
}

/**
 * `self` is the calculating router as it is, `neighbors` those in state 2-Way or above. Whoever holds an office keeps it while it lives, whatever
 * the priority of a router that comes later.
 */
export function elect(self: Candidate, neighbors: readonly Candidate[]): Elected {
  const eligible = (candidate: Candidate): Candidate[] => [candidate, ...neighbors].filter(({ priority }) => priority > 0);
  const first = calculate(eligible(self));
  const office = ({ designated, backup }: Elected): string => (designated === self.routerId ? 'designated' : backup === self.routerId ? 'backup' : 'other');
  // Step 4: a router that gains or loses an office calculates again with what it will say; so no router holds both.
  return office(first) === office(self) ? first : calculate(eligible({ ...self, ...first }));
}
