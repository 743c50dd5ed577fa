/**
 * Kernel parameters under /proc/sys, in the network namespace of the calling thread. A name is given in parts, because interface
 * names may hold dots: `readSysctl('net', 'ipv6', 'conf', 'eth0.100', 'seg6_enabled')`.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';

export class SysctlError extends Error {
  override readonly name = 'SysctlError';
}

function path(parts: readonly string[]): string {
  if (parts.length === 0 || parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('/'))) {
    throw new TypeError(`not a kernel parameter: ${parts.join('/')}`);
  }
  return `/proc/sys/${parts.join('/')}`;
}

function attempt<T>(verb: string, parts: readonly string[], action: (file: string) => T): T {
  const file = path(parts);
  try {
    return action(file);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const meaning =
      code === 'ENOENT'
        ? 'this kernel does not have it'
        : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
          ? 'not permitted: it needs root, and /proc/sys mounted writable'
          : code === 'EINVAL'
            ? 'the kernel refuses the value'
            : (error as Error).message;
    throw new SysctlError(`cannot ${verb} ${parts.join('.')}: ${meaning}`, { cause: error });
  }
}

/** The value without its line end. Throws SysctlError. */
export function readSysctl(...parts: string[]): string {
  return attempt('read', parts, (file) => readFileSync(file, 'utf8').trimEnd());
}

/** The names under one, such as those of interfaces. Throws SysctlError. */
export function listSysctl(...parts: string[]): string[] {
  return attempt('list', parts, (file) => readdirSync(file));
}

/** Writes a value unless it stands there already (which also spares a read-only /proc). Throws SysctlError. Returns whether it wrote. */
export function writeSysctl(value: string | number, ...parts: string[]): boolean {
  if (readSysctl(...parts) === String(value)) return false;
  attempt(`set to ${value}`, parts, (file) => writeFileSync(file, String(value)));
  return true;
}
