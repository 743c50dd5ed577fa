#!/usr/bin/env node
/** cpnctl: one command, one answer, one exit status. */
import { CommanderError } from 'commander';
import { CommandFailure, EXIT_NO, EXIT_OK, EXIT_USAGE } from './exit.js';
import { buildProgram } from './program.js';

// A reader that closes the pipe early (head) has seen enough: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT_OK : EXIT_NO));

const { program, session } = buildProgram();

function statusOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  if (error instanceof CommandFailure) {
    process.stderr.write(`cpnctl: ${error.message}\n`);
    return error.exitStatus;
  }
  process.stderr.write(`cpnctl: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT_NO;
}

try {
  await program.parseAsync();
  process.exitCode = session.exitStatus;
} catch (error) {
  process.exitCode = statusOf(error);
} finally {
  session.close();
}
