/** What a demand model says, in words. */
import type { DemandEstimate } from '../computing/model/demand.js';

export function describeDemand({ latencyUs, lowUs, highUs, level, form, runs, scope, beyond }: DemandEstimate): string {
  const of = scope === '' ? 'of the service' : 'of this instance';
  const far = beyond.length === 0 ? '' : `, beyond what was observed of ${beyond.join(' and ')}`;
  return `processing predicted to take ${Math.round(latencyUs)} us (${Math.round(lowUs)} to ${Math.round(highUs)} us for ${Math.round(level * 100)} % of runs) by the ${form} form from ${runs} runs ${of}${far}`;
}
