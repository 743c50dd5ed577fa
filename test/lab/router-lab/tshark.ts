/** Captures of the router tests, read with tshark: a reader that is not ours. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The fields of every packet that passes the display filter; a field that occurs several times has its values joined by commas. */
export async function fieldsOf(path: string, filter: string, ...fields: readonly string[]): Promise<string[][]> {
  const argv = ['-r', path, '-n', '-o', 'ip.check_checksum:TRUE', '-Y', filter, '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=a', '-E', 'aggregator=,'];
  const { stdout } = await run('tshark', [...argv, ...fields.flatMap((field) => ['-e', field])], { maxBuffer: 64 << 20 });
  return stdout.split('\n').filter((line) => line !== '').map((line) => line.split('\t'));
}
