/** Reading captures with tshark, a reader that is not ours. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** One SRv6-encapsulated packet as tshark reads it. Addresses as tshark prints them. */
export interface CapturedPacket {
  readonly number: number;
  readonly timeS: number;
  readonly outerSource: string;
  readonly outerDestination: string;
  readonly outerHopLimit: number;
  /** Segment List in wire order: [0] is the last segment (RFC 8754 section 2). */
  readonly segmentList: readonly string[];
  readonly segmentsLeft: number;
  readonly innerSource: string;
  readonly innerDestination: string;
  readonly innerHopLimit: number;
  readonly sourcePort: number;
  readonly protocol: 'tcp' | 'udp' | 'other';
  /** Names of the protocols in the packet, outermost first. */
  readonly layers: string;
}

const FIELDS = [
  'frame.number', 'frame.time_epoch', 'ipv6.src', 'ipv6.dst', 'ipv6.hlim', 'ipv6.routing.srh.addr', 'ipv6.routing.segleft',
  'udp.srcport', 'tcp.srcport', 'frame.protocols', 'ipv6.routing.type',
] as const;

/** All packets of a capture that have a segment routing header (routing type 4). */
export async function readSrv6(path: string): Promise<CapturedPacket[]> {
  const argv = ['-r', path, '-n', '-Y', 'ipv6.routing.type == 4', '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=a', '-E', 'aggregator=,'];
  const { stdout } = await run('tshark', [...argv, ...FIELDS.flatMap((field) => ['-e', field])], { maxBuffer: 64 << 20 });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [number, time, sources, destinations, hopLimits, segments, left, udp, tcp, layers] = line.split('\t').map((field) => field.split(','));
      return {
        number: Number(number![0]),
        timeS: Number(time![0]),
        outerSource: sources![0]!,
        outerDestination: destinations![0]!,
        outerHopLimit: Number(hopLimits![0]),
        segmentList: segments!,
        segmentsLeft: Number(left![0]),
        innerSource: sources![1] ?? '',
        innerDestination: destinations![1] ?? '',
        innerHopLimit: Number(hopLimits![1]),
        sourcePort: Number(udp![0] || tcp![0]),
        protocol: udp![0] !== '' ? 'udp' : tcp![0] !== '' ? 'tcp' : 'other',
        layers: layers![0]!,
      };
    });
}

/** The IPv6 and SRH part of tshark's decode of one packet, for people. */
export async function decode(path: string, number: number): Promise<string> {
  const { stdout } = await run('tshark', ['-r', path, '-n', '-Y', `frame.number == ${number}`, '-O', 'ipv6,udp,tcp'], { maxBuffer: 64 << 20 });
  const wanted = /Internet Protocol Version 6|Routing Header|Next Header|Segments Left|Address\[|Hop Limit|User Datagram|Transmission Control|Destination Options|IPv6 Option/;
  return stdout
    .split('\n')
    .filter((line) => wanted.test(line))
    .join('\n');
}
