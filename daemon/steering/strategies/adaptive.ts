/**
 * Adaptive: picks a strategy by arrival rate, staleness and spread of the candidates ("a mechanism for adaptive algorithm selection", survey section 8.1).
 *
 * What decides is how many first packets a candidate gets from here between two of its announcements: up to one, a choice is as good as its announcement, and the
 * best candidate is right (greedy). With more, what is announced counts only while it is fresh, measured in service times (Mitzenmacher, How useful is old
 * information?, IEEE TPDS 11(1), 2000): candidates that are alike share by weight, and for those that differ whole windows are worth matching. Old pictures are left
 * out of it (even.ts): other entries act on them too, and would all go the same way.
 */
import { Even } from './even.js';
import { Greedy } from './greedy.js';
import { Matching } from './matching.js';
import type { Chooser, Offer, Situation, Strategy } from './strategy.js';
import { Weighted } from './weighted.js';

/** First packets a candidate between two announcements. */
const FEW = 1;
/** Candidates whose costs are within this share of the best are alike: the selector's weights cover them all. */
const ALIKE = 0.1;
/** Announcements of this age in service times are old. */
const OLD = 20;

type Pick = 'greedy' | 'weighted' | 'matching' | 'even';

export class Adaptive implements Strategy {
  readonly config: { readonly name: 'adaptive'; readonly holdMs: number };
  private readonly strategies: Readonly<Record<Pick, Omit<Strategy, 'config'>>> = { greedy: new Greedy(true), weighted: new Weighted(), matching: new Matching(1, 5), even: new Even() };
  private pick: Pick | undefined;
  private pickedAt = 0;

  constructor(holdMs: number) {
    this.config = { name: 'adaptive', holdMs };
  }

  prepare(offers: readonly Offer[], situation: Situation): Chooser {
    const { arrivalsPerSecond, stalenessMs, nowMs } = situation;
    const costs = offers.map(({ statedUs }) => statedUs);
    const spread = Math.max(...costs) / Math.max(1, Math.min(...costs)) - 1;
    const pressure = (arrivalsPerSecond * stalenessMs) / 1000 / offers.length;
    const serviceMs = offers.reduce((sum, { perRequestUs }) => sum + perRequestUs, 0) / offers.length / 1000;
    const isOld = stalenessMs > OLD * serviceMs;
    const wanted = pressure <= FEW ? 'greedy' : isOld ? 'even' : spread <= ALIKE ? 'weighted' : 'matching';
    if (this.pick === undefined || nowMs - this.pickedAt >= this.config.holdMs) {
      if (wanted !== this.pick) this.pickedAt = nowMs;
      this.pick = wanted;
    }
    const chooser = this.strategies[this.pick].prepare(offers, situation);
    const facts = `${arrivalsPerSecond.toFixed(1)} first packets a second, announcements every ${(stalenessMs / 1000).toFixed(1)} s${isOld ? ' (old)' : ''}: ${pressure.toFixed(1)} a candidate; costs ${Math.round(spread * 100)} % apart`;
    return { ...chooser, words: `adaptive: ${chooser.words} (${facts})` };
  }
}
