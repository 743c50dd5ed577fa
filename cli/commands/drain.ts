import type { Command } from 'commander';
import type { InstanceRef, InstanceState } from '../../daemon/northbound/facade.js';
import { instance, whole } from '../arguments.js';
import type { Session } from '../session.js';

const DEFAULT_GRACE_S = 5;
const MAX_GRACE_S = 86_400;

export function describeState(state: InstanceState): string {
  return `${state.service}#${state.instance}: ${state.draining ? 'draining' : 'serving'}, health ${state.health}, last announced with sequence ${state.sequence}`;
}

export function drain(root: Command, session: Session): void {
  const set = async (reference: InstanceRef, draining: boolean, graceMs: number): Promise<void> => {
    const state = await session.call((methods) => methods.computingMethods.drain, { instance: reference, draining, graceMs });
    await session.answer(state, describeState);
  };
  const named = (name: string): Command => root.command(name).argument('<instance>', 'SERVICE#ID, or ID when only one local instance has it', instance);
  named('drain')
    .description('give a local instance no new flows, and move those that are left after a grace time')
    .option('--grace <seconds>', 'how long pinned flows may stay', whole(0, MAX_GRACE_S), DEFAULT_GRACE_S)
    .action((reference: InstanceRef, options: { readonly grace: number }) => set(reference, true, options.grace * 1000));
  named('undrain')
    .description('take flows at a local instance again')
    .action((reference: InstanceRef) => set(reference, false, 0));
}
