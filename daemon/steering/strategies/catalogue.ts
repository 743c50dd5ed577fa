/** Strategies by their name in the configuration. */
import { Adaptive } from './adaptive.js';
import { Greedy } from './greedy.js';
import { Local } from './local.js';
import { Matching } from './matching.js';
import { RoundRobin } from './round-robin.js';
import type { Strategy, StrategyConfig } from './strategy.js';
import { TwoChoices } from './two-choices.js';
import { Weighted } from './weighted.js';

export function createStrategy(config: StrategyConfig): Strategy {
  switch (config.name) {
    case 'weighted':
      return new Weighted();
    case 'local':
      return new Local();
    case 'round-robin':
      return new RoundRobin();
    case 'greedy':
      return new Greedy(config.ownAccount);
    case 'two-choices':
      return new TwoChoices(config.choices);
    case 'matching':
      return new Matching(config.minWindowMs, config.maxWindowMs);
    case 'adaptive':
      return new Adaptive(config.holdMs);
  }
}
