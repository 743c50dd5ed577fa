/** A request of an operator that cannot be done, said in words for the operator: the parts throw it, the API passes it on. */
export type RefusalCode =
  | 'notFound' // no such neighbor, service, instance
  | 'invalid' // the request makes no sense (two instances of that id, value out of range)
  | 'notConfigured' // the part is not configured or not supported by this version
  | 'unavailable' // not now: starting, stopping
  | 'unauthenticated' // who asks did not show who it is
  | 'denied' // who asks may not
  | 'exhausted'; // too many, too often

export class Refusal extends Error {
  constructor(
    readonly code: RefusalCode,
    message: string,
  ) {
    super(message);
    this.name = 'Refusal';
  }
}
