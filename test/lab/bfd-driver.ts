/**
 * BFD of the daemon as a process of its own, for tests in network namespaces: one JSON command a line on stdin, one JSON answer a line on
 * stdout. Started with its BfdConfig as JSON in argv.
 */
import { createInterface } from 'node:readline';
import { BfdProcess } from '../../daemon/bfd/process.js';
import type { BfdConfig, BfdHandle, BfdRequest, BfdVerdict } from '../../daemon/bfd/types.js';
import { systemClock } from '../../daemon/clock.js';

export type BfdCommand =
  | { readonly do: 'register'; readonly request: BfdRequest }
  | { readonly do: 'unregister'; readonly peer: string }
  | { readonly do: 'configure'; readonly config: BfdConfig }
  /** Keeps the event loop of the process for itself. */
  | { readonly do: 'block'; readonly ms: number }
  | { readonly do: 'view' | 'heard' };

/** What a client heard, and when (Unix ms): by the service, and by the client. */
export interface Heard {
  readonly peer: string;
  readonly verdict: BfdVerdict;
  readonly diagnostic: number;
  readonly at: number;
  readonly heardAt: number;
}

function main(config: BfdConfig): void {
  const bfd = new BfdProcess({ clock: systemClock, config, report: ({ severity, text }) => severity === 'warning' && console.error(text) });
  const handles = new Map<string, BfdHandle>();
  const heard: Heard[] = [];
  const run = (command: BfdCommand): unknown => {
    switch (command.do) {
      case 'register': {
        const { peer } = command.request;
        handles.set(
          peer,
          bfd.register(command.request, (verdict, { diagnostic, at }) => heard.push({ peer, verdict, diagnostic, at, heardAt: Date.now() })),
        );
        return true;
      }
      case 'unregister':
        handles.get(command.peer)?.unregister();
        return true;
      case 'configure':
        bfd.configure(command.config);
        return true;
      case 'block':
        for (const end = performance.now() + command.ms; performance.now() < end; );
        return true;
      case 'view':
        return bfd.view();
      case 'heard':
        return heard;
    }
  };
  createInterface({ input: process.stdin })
    .on('line', (line) => void Promise.resolve(run(JSON.parse(line) as BfdCommand)).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)))
    .on('close', () => void bfd.close().then(() => process.exit(0)));
}

const [, script, argument] = process.argv;
if (script?.endsWith('bfd-driver.js') && argument !== undefined) main(JSON.parse(argument) as BfdConfig);
