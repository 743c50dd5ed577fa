/** Streams to the router over gRPC: unix socket, or TCP with TLS; token or client certificate. */
import { readFileSync } from 'node:fs';
import { ChannelCredentials, Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { registrationMethods } from '../../proto/methods.js';
import type { RouterMessage } from '../awareness/registration/types.js';
import type { AgentConfig } from './config.js';
import type { Dial } from './session.js';

const REFUSALS: ReadonlySet<status> = new Set([status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.INVALID_ARGUMENT, status.RESOURCE_EXHAUSTED, status.UNIMPLEMENTED]);

/** A router that vanished without a word is noticed after these two, ms. */
const KEEPALIVE = { 'grpc.keepalive_time_ms': 5000, 'grpc.keepalive_timeout_ms': 5000 };

function channelCredentials({ target, tls }: AgentConfig['router']): ChannelCredentials {
  if (target.startsWith('unix:') || !tls) return credentials.createInsecure();
  const read = (file: string | undefined): Buffer | null => (file === undefined ? null : readFileSync(file));
  return credentials.createSsl(read(tls.ca), read(tls.key), read(tls.certificate));
}

/** Reads the files each time, so that renewed certificates and tokens count. */
export function grpcDial(router: AgentConfig['router']): Dial {
  return ({ message, ended }) => {
    let client: Client;
    const metadata = new Metadata();
    try {
      if (router.tokenFile !== undefined) metadata.set('authorization', `Bearer ${readFileSync(router.tokenFile, 'utf8').trim()}`);
      const name = router.tls?.serverName;
      client = new Client(router.target, channelCredentials(router), {
        ...KEEPALIVE,
        // Each attempt connects anew: what broke is not tried again.
        'grpc.use_local_subchannel_pool': 1,
        'grpc.enable_http_proxy': 0,
        ...(name === undefined ? {} : { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name }),
      });
    } catch (error) {
      ended({ reason: error instanceof Error ? error.message : String(error), refused: true });
      return { send: () => undefined, close: () => undefined };
    }
    const { path, requestSerialize, responseDeserialize } = registrationMethods.attach;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
    const over = (reason: string, refused: boolean): void => {
      client.close();
      ended({ reason, refused });
    };
    call.on('data', (answer: RouterMessage) => message(answer));
    call.on('error', (error: ServiceError) => over(error.details === '' ? error.message : error.details, REFUSALS.has(error.code)));
    call.on('end', () => over('the router ended the stream', false));
    return { send: (answer) => void call.write(answer), close: () => call.end() };
  };
}
