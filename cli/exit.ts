/** Exit statuses of cpnctl ("CLI surface" of ARCHITECTURE.md) and the errors that lead to them. */

export const EXIT_OK = 0;
/** The daemon (or an offline check) answered no. */
export const EXIT_NO = 1;
export const EXIT_USAGE = 2;
export const EXIT_UNREACHABLE = 3;

/** Ends the command with a message and an exit status. */
export class CommandFailure extends Error {
  constructor(
    readonly exitStatus: number,
    message: string,
  ) {
    super(message);
    this.name = 'CommandFailure';
  }
}
