#!/usr/bin/env node
/**
 * `cpnd agent --config FILE`: runs the agent of a computing node until SIGTERM or SIGINT, which log it out.
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
import { readFileSync } from 'node:fs';

const USAGE = 'usage: cpnd router|agent [--config FILE] [--check]';
/** Time for the log-out to reach the router, ms. */
const LEAVING_MS = 100;
const DEFAULT_CONFIGS: Readonly<Record<string, string>> = { router: '/etc/cpn/cpnd.yaml', agent: '/etc/cpn/agent.yaml' };

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
  const [part = ''] = positionals;
  const file = values.config ?? DEFAULT_CONFIGS[part];
  if (positionals.length !== 1 || file === undefined) fail(2, USAGE);
  if (part === 'agent') await runAgent(file, values.check === true);
  else await runRouter(file, values.check === true);
}

async function runAgent(file: string, checkOnly: boolean): Promise<void> {
  // The router and the agent have little in common: each loads its own parts only.
  const { loadAgentConfig } = await import('./agent/config.js');
  const loaded = loadAgentConfig(file);
  if (!loaded.ok) fail(2, formatConfigErrors(loaded.errors));
  if (checkOnly) return;
  const { config } = loaded;
  const log = createLogger(config.node.id, config.log.level);
  process.on('unhandledRejection', (reason) => log.error('a task failed', { error: reason instanceof Error ? reason.stack : String(reason) }));
  const { Agent } = await import('./agent/agent.js');
  const agent = new Agent(config, { clock: systemClock, log });
  await agent.start();
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info('stopping', { signal });
    // What was written to the stream leaves the process before it ends.
    agent.stop(`the agent got ${signal}`).then(
      () => setTimeout(() => process.exit(0), LEAVING_MS),
      (error: unknown) => fail(1, `cpnd: stopping failed: ${String(error)}`),
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
}

async function runRouter(file: string, checkOnly: boolean): Promise<void> {
  const loaded = loadConfig(file);
  if (!loaded.ok) fail(2, formatConfigErrors(loaded.errors));
  if (checkOnly) return;
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
  const { Router } = await import('./router.js');
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
