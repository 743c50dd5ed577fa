/** How the exit of a first packet is chosen: a strategy and its parameters. */
import { STRATEGY_NAMES, type StrategyName } from '../../steering/strategies/strategy.js';
import { duration, flag, integer, mapping, oneOf } from './common.js';

const window = (): ReturnType<typeof duration> => duration(1, 20, '1ms up to 20ms');

/** Where the file has none, ms. */
export const MIN_WINDOW_MS = 1;
export const MAX_WINDOW_MS = 5;

/** Parameters and whose they are. */
const OWNERS: Readonly<Record<string, StrategyName>> = { ownAccount: 'greedy', choices: 'two-choices', minWindow: 'matching', maxWindow: 'matching', hold: 'adaptive' };

export const strategy = mapping({
  name: oneOf(...STRATEGY_NAMES),
  ownAccount: flag.optional(),
  choices: integer(2, 8, 'a number of candidates').optional(),
  minWindow: window().optional(),
  maxWindow: window().optional(),
  hold: duration(100, 3_600_000, '100ms up to 1h').optional(),
}).superRefine((value, context) => {
  for (const [field, owner] of Object.entries(OWNERS)) {
    if (field in value && value.name !== owner) context.addIssue({ code: 'custom', path: [field], message: `no ${field} beside the strategy ${value.name}: it belongs to ${owner}` });
  }
  const { minWindow, maxWindow } = value;
  if (minWindow !== undefined && minWindow > (maxWindow ?? MAX_WINDOW_MS)) context.addIssue({ code: 'custom', path: ['minWindow'], message: `at most maxWindow, which is ${maxWindow ?? MAX_WINDOW_MS}ms` });
});
