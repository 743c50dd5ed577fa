/** When something is announced anew. */
import { z } from 'zod';
import { parseDuration } from '../scalars.js';
import { duration, quantity } from './common.js';

export const minInterval = duration(0, 600_000, 'up to 10m');
export const maxInterval = duration(0, 86_400_000, '0 (never) or up to 24h');
export const threshold = z.number({ error: 'a number from 0 to 1' }).min(0, { error: 'a number from 0 to 1' }).max(1, { error: 'a number from 0 to 1' });
export const validity = quantity('a validity of 0 (as long as the session lives) or 3s to 24h, in whole seconds', (value) => {
  const ms = parseDuration(value);
  return ms !== undefined && ms % 1000 === 0 && (ms === 0 || (ms >= 3000 && ms <= 86_400_000)) ? ms : undefined;
});
