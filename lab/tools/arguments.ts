/** Command line values of the traffic tools. */
import { isIP } from 'node:net';

/** A command line that cannot be understood; the message is for people. */
export class ArgumentError extends Error {}

export function numberArgument(name: string, text: string | undefined, fallback: number, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < minimum || value > maximum) {
    throw new ArgumentError(`--${name}: expected a number from ${minimum} to ${maximum}, found "${text}"`);
  }
  return value;
}

export function addressArgument(name: string, text: string | undefined): string {
  if (text === undefined || isIP(text) === 0) throw new ArgumentError(`--${name}: expected an IP address${text === undefined ? '' : `, found "${text}"`}`);
  return text;
}

/** Runs a tool's main function; a faulty command line ends with status 2. */
export async function runTool(usage: string, main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const unparsed = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    if (!(error instanceof ArgumentError) && !unparsed) throw error;
    process.stderr.write(`${error.message}\nusage: ${usage}\n`);
    process.exitCode = 2;
  }
}
