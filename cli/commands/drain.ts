import type { Command } from 'commander';
import type { InstanceRef, InstanceState } from '../../daemon/northbound/facade.js';
import { instance } from '../arguments.js';
import type { Session } from '../session.js';

export function describeState(state: InstanceState): string {
  return `${state.service}#${state.instance}: ${state.draining ? 'draining' : 'serving'}, health ${state.health}, last announced with sequence ${state.sequence}`;
}

export function drain(root: Command, session: Session): void {
  const commands = [
    ['drain', true, 'give a local instance no new flows; pinned ones stay'],
    ['undrain', false, 'take flows at a local instance again'],
  ] as const;
  for (const [name, draining, description] of commands) {
    root
      .command(name)
      .description(description)
      .argument('<instance>', 'SERVICE#ID, or ID when only one local instance has it', instance)
      .action(async (reference: InstanceRef) => {
        const state = await session.call((methods) => methods.computingMethods.drain, { instance: reference, draining });
        await session.answer(state, describeState);
      });
  }
}
