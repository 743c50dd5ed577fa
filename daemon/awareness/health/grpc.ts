/** The gRPC health checking protocol (grpc.health.v1.Health/Check): a server says of itself, or of one of its services, that it serves. */
import { Client, credentials, status as code, type ServiceError } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import type { Probe } from './check.js';

const METHOD = '/grpc.health.v1.Health/Check';
const SERVICE_FIELD = 1;
const STATUS_FIELD = 1;
const STATUS_NAMES: Readonly<Record<number, string>> = { 0: 'UNKNOWN', 1: 'SERVING', 2: 'NOT_SERVING', 3: 'SERVICE_UNKNOWN' };
const SERVING = 1;

/** HealthCheckRequest { string service = 1; } */
export const encodeHealthRequest = (service: string): Buffer => Buffer.from(protobuf.Writer.create().uint32((SERVICE_FIELD << 3) | 2).string(service).finish());

/** The status of a HealthCheckResponse { ServingStatus status = 1; }; undefined when it is none. */
export function decodeHealthResponse(bytes: Uint8Array): number | undefined {
  const reader = protobuf.Reader.create(bytes);
  let status = 0;
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === STATUS_FIELD << 3) status = reader.int32();
      else reader.skipType(tag & 7);
    }
  } catch {
    return undefined;
  }
  return status;
}

export function grpcProbe(address: string, port: number, service: string): Probe {
  const target = address.includes(':') ? `ipv6:[${address}]:${port}` : `ipv4:${address}:${port}`;
  return (done) => {
    // A connection of its own each time, as with the other checks: an old one says nothing of whether the server accepts.
    const client = new Client(target, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_retries': 0 });
    const answered = (error: ServiceError | null, status: number | undefined): void => {
      client.close();
      done(error ? failure(error, service) : status === SERVING ? undefined : status === undefined ? 'a malformed answer' : `the server says ${STATUS_NAMES[status] ?? `status ${status}`}`);
    };
    const call = client.makeUnaryRequest(METHOD, encodeHealthRequest, decodeAnswer, service, (error, answer) => answered(error, answer?.status));
    return {
      cancel: () => {
        call.cancel();
        client.close();
      },
    };
  };
}

const decodeAnswer = (bytes: Buffer): { status: number | undefined } => ({ status: decodeHealthResponse(bytes) });

function failure(error: ServiceError, service: string): string {
  if (error.code === code.UNIMPLEMENTED) return 'the server has no health service (grpc.health.v1)';
  if (error.code === code.NOT_FOUND) return `the server does not know the service ${JSON.stringify(service)}`;
  return error.details;
}
