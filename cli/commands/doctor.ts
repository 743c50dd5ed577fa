import type { Command } from 'commander';
import type { DoctorCheck } from '../../daemon/northbound/facade.js';
import { CommandFailure, EXIT_NO, EXIT_UNREACHABLE } from '../exit.js';
import type { Session } from '../session.js';

export function doctor(root: Command, session: Session): void {
  root
    .command('doctor')
    .description('check host and router, and say how to mend what is wrong (host checks work without the daemon)')
    .action(async () => {
      const { hostChecks, realHost } = await import('../host-checks.js');
      let edge = new Set<string>();
      let routerChecks: readonly DoctorCheck[];
      try {
        const { interfaces } = await session.call((methods) => methods.routerMethods.listInterfaces, {});
        edge = new Set(interfaces.filter(({ role }) => role !== 'core').map(({ name }) => name));
        routerChecks = (await session.call((methods) => methods.routerMethods.runDoctor, {})).checks;
      } catch (error) {
        if (!(error instanceof CommandFailure)) throw error;
        session.exitStatus = error.exitStatus;
        routerChecks = [{ name: 'daemon', status: 'fail', detail: error.message, mend: `start cpnd, or name its socket with --target (now ${session.target})` }];
      }
      const checks = [...hostChecks(realHost, edge), ...routerChecks];
      if (session.exitStatus !== EXIT_UNREACHABLE && checks.some((check) => check.status === 'fail')) session.exitStatus = EXIT_NO;
      await session.answer(checks, async () => {
        const { colours } = await import('../table.js');
        const words = { ok: colours.green('ok  '), warn: colours.yellow('warn'), fail: colours.red('FAIL') };
        const width = Math.max(...checks.map((check) => check.name.length));
        return checks.map((check) => `${words[check.status]}  ${check.name.padEnd(width)}  ${check.detail}${check.mend === '' ? '' : `\n      ${' '.repeat(width)}  mend: ${check.mend}`}`).join('\n');
      });
    });
}
