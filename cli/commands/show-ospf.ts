import type { Command } from 'commander';
import { CommandFailure, EXIT_NO } from '../exit.js';

/** The OSPF commands are part of the fixed surface; this version speaks BGP only and says so. */
export function showOspf(show: Command): void {
  const ospf = show.command('ospf').description('OSPFv3 (not in this version)');
  const refuse = (): never => {
    throw new CommandFailure(EXIT_NO, 'OSPF is not configured: this version of cpnd does not support it');
  };
  ospf.command('interfaces').description('interfaces that run OSPFv3').action(refuse);
  ospf.command('neighbors').description('OSPFv3 neighbors').action(refuse);
  ospf.command('database').description('link-state database').option('--type <type>', 'only LSAs of this type').action(refuse);
}
