/** Why an attempt to reach a service failed, in the words of an operator. */
const MESSAGES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
};

export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return MESSAGES[(error as NodeJS.ErrnoException).code ?? ''] ?? error.message;
}
