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
      const checks: DoctorCheck[] = hostChecks(realHost);
      try {
        checks.push(...(await session.call((methods) => methods.routerMethods.runDoctor, {})).checks);
      } catch (error) {
        if (!(error instanceof CommandFailure)) throw error;
        session.exitStatus = error.exitStatus;
        checks.push({ name: 'daemon', status: 'fail', detail: error.message, mend: `start cpnd, or name its socket with --target (now ${session.target})` });
      }
      if (session.exitStatus !== EXIT_UNREACHABLE && checks.some((check) => check.status === 'fail')) session.exitStatus = EXIT_NO;
      await session.answer(checks, async () => {
        const { colours } = await import('../table.js');
        const words = { ok: colours.green('ok  '), warn: colours.yellow('warn'), fail: colours.red('FAIL') };
        const width = Math.max(...checks.map((check) => check.name.length));
        return checks.map((check) => `${words[check.status]}  ${check.name.padEnd(width)}  ${check.detail}${check.mend === '' ? '' : `\n      ${' '.repeat(width)}  mend: ${check.mend}`}`).join('\n');
      });
    });
}
