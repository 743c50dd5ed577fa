import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import type { NativeError } from '../native/index.js';
import type { Answer } from './message.js';

/** Symbols by number; the first of those that share one (EAGAIN, not EWOULDBLOCK). */
const SYMBOLS = new Map(Object.entries(constants.errno).reverse().map(([symbol, number]) => [number, symbol]));
SYMBOLS.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');
const MEANINGS = getSystemErrorMap();

/** A request the kernel refused, or that could not be answered. The message holds the request, the errno and the kernel's own text. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  /** Symbolic errno, such as EHOSTUNREACH. */
  readonly code: string;
  /** The kernel's extended-ack text, where it gave one. */
  readonly kernelText: string | undefined;
  /** Offset of the offending attribute in the request, where the kernel told it. */
  readonly offset: number | undefined;

  constructor(
    /** Positive errno. */
    readonly errno: number,
    /** What was asked, in words. */
    readonly request: string,
    answer?: Answer,
  ) {
    const code = SYMBOLS.get(errno) ?? `E${errno}`;
    const meaning = MEANINGS.get(-errno)?.[1] ?? 'refused';
    super(`${request}: ${answer?.text ?? meaning} (${code})`);
    this.code = code;
    this.kernelText = answer?.text;
    this.offset = answer?.offset;
  }
}

/** The failed system call that was thrown; anything else is a programmer's mistake and thrown on. */
export function systemCallError(error: unknown): NativeError {
  if (error instanceof Error && 'syscall' in error && 'errno' in error) return error as NativeError;
  throw error;
}
