import type { Command } from 'commander';
import type { RegisteredServiceView } from '../../daemon/northbound/facade.js';
import { address } from '../arguments.js';
import type { Session } from '../session.js';

const describe = ({ service, instance, state, reason }: RegisteredServiceView): string => `${service}#${instance}: ${state}${reason === '' ? '' : ` (${reason})`}`;

export function service(root: Command, session: Session): void {
  const group = root.command('service').description('services that registered computing nodes offer');
  const set = async (node: string, id: string, active: boolean): Promise<void> => {
    const state = await session.call((methods) => methods.nodeMethods.setServiceActive, { node, service: id, active });
    await session.answer(state, describe);
  };
  const named = (name: string, active: boolean, description: string): Command =>
    group
      .command(name)
      .description(description)
      .argument('<node>', 'node id')
      .argument('<service>', 'service ID', address)
      .action((node: string, id: string) => set(node, id, active));
  named('activate', true, 'run a service on a node, in the place of idle ones of lower priority where the node does not hold both');
  named('deactivate', false, 'withdraw a service of a node and stop it, until it is activated again');
}
