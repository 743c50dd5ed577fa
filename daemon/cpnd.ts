#!/usr/bin/env node
/**
 * `cpnd router --config FILE`: runs a router until SIGTERM or SIGINT, which take everything of ours out of the kernel.
 * SIGHUP reloads the configuration; SIGUSR2 ends the daemon and leaves forwarding in place, for an upgrade.
 * Exit status: 0 after a signal, 1 when it could not start, 2 for a wrong command line or configuration.
 */
import { parseArgs } from 'node:util';
import type { Dataplane } from '../dataplane/dataplane.js';
import { systemClock } from './clock.js';
import { formatConfigErrors } from './config/errors.js';
import { loadConfig } from './config/load.js';
import type { Config } from './config/types.js';
import { createLogger, type LeveledLogger } from './log.js';
import { Router } from './router.js';
import { readFileSync } from 'node:fs';

const USAGE = 'usage: cpnd router [--config FILE] [--check]';
const DEFAULT_CONFIG = '/etc/cpn/cpnd.yaml';

function fail(status: number, text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(status);
}

async function makeDataplane(config: Config, log: LeveledLogger): Promise<{ dataplane: Dataplane; nowNs: () => bigint }> {
  if (config.dataplane.kind === 'fake') {
    const { FakeDataplane } = await import('../dataplane/fake.js');
    return { dataplane: new FakeDataplane(), nowNs: () => BigInt(Math.round(systemClock.now() * 1e6)) };
  }
  // Loads the native addon, which needs no root but is not there before a build.
  const { KernelDataplane } = await import('../dataplane/kernel.js');
  const { native } = await import('../dataplane/native/index.js');
  return { dataplane: new KernelDataplane({ clock: systemClock, log: (text) => log.warn(text) }), nowNs: () => native.monotonicNs() };
}

async function main(): Promise<void> {
  let parsed;
  try {
    parsed = parseArgs({ allowPositionals: true, options: { config: { type: 'string', short: 'c' }, check: { type: 'boolean' } } });
  } catch (error) {
    fail(2, `${(error as Error).message}\n${USAGE}`);
  }
  const { positionals, values } = parsed;
  if (positionals.length !== 1 || positionals[0] !== 'router') fail(2, USAGE);
  const file = values.config ?? DEFAULT_CONFIG;
  const loaded = loadConfig(file);
  if (!loaded.ok) fail(2, formatConfigErrors(loaded.errors));
  if (values.check === true) return;
  const { config } = loaded;
  const log = createLogger(config.router.name, config.log.level);
  for (const { line, field, text } of loaded.warnings) log.warn(`${file}:${line}: ${field}: ${text}`);

  // A promise that nobody waits for concerns one task: the router goes on. After an exception nobody knows what is half done: a supervisor
  // starts cpnd again, which adopts what forwards in the kernel.
  process.on('unhandledRejection', (reason) => log.error('a task failed', { error: reason instanceof Error ? reason.stack : String(reason) }));
  process.on('uncaughtException', (error) => {
    log.error('cpnd ends; forwarding stays in the kernel', { error: error.stack });
    process.exit(1);
  });

  const { dataplane, nowNs } = await makeDataplane(config, log);
  const router = await Router.start({ config, configFile: file, dataplane, clock: systemClock, log, nowNs });
  log.info('started', { config: file });

  let stopping = false;
  const stop = (signal: string, keepForwarding: boolean): void => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { signal, keepForwarding });
    router.stop(keepForwarding).then(
      () => process.exit(0),
      (error: unknown) => fail(1, `cpnd: stopping failed: ${String(error)}`),
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM', false));
  process.on('SIGINT', () => stop('SIGINT', false));
  process.on('SIGUSR2', () => stop('SIGUSR2', true));
  process.on('SIGHUP', () => {
    // What is refused is an event of the router, and so in the log.
    const reload = async (): Promise<unknown> => router.reload(readFileSync(file, 'utf8'));
    reload().catch((error: unknown) => log.error('reload failed', { error: String(error) }));
  });
}

main().catch((error: unknown) => fail(1, `cpnd: ${error instanceof Error ? error.message : String(error)}`));
