import { getSystemErrorMap } from 'node:util';
import type { Answer } from './message.js';

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
    const [code, meaning] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error'];
    super(`${request}: ${answer?.text ?? meaning} (${code})`);
    this.code = code;
    this.kernelText = answer?.text;
    this.offset = answer?.offset;
  }
}
