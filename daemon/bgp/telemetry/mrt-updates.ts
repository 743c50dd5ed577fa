/**
 * The MRT log of updates: every UPDATE as received, and every change of state, into files that are rotated by time and size. A file is
 * written under a name that ends in .part and gets its own when it is complete. A disk that cannot keep up costs records, which are
 * counted, and never BGP.
 */
import { createWriteStream, renameSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '../../clock.js';
import { afiSafiOf } from '../wire/families.js';
import { MessageType } from '../wire/types.js';
import { makeDirectory } from './directory.js';
import { mrtMessage, mrtStateChange, type MrtSession } from './mrt.js';
import type { SessionTap, TappedSession } from './tap.js';

export interface MrtUpdatesOptions {
  /** Made when it is not there. */
  readonly directory: string;
  readonly rotateMs: number;
  /** A file is closed early beyond so many octets. */
  readonly maxOctets: number;
}

/** Octets that may wait for the disk. */
const QUEUE_LIMIT = 64 * 1024 * 1024;
const TYPE_OFFSET = 18;

/** `updates.20261122.2344` of a Unix time in ms, UTC, with seconds where they are not zero: files sort by time. */
export function mrtFileName(kind: 'updates' | 'rib', unixMs: number): string {
  const [date, time] = new Date(unixMs).toISOString().split('T') as [string, string];
  const [hours, minutes, seconds] = time.slice(0, 8).split(':') as [string, string, string];
  return `${kind}.${date.replaceAll('-', '')}.${hours}${minutes}${seconds === '00' ? '' : seconds}.mrt`;
}

const mrtSession = ({ as, localAs, address, localAddress }: TappedSession): MrtSession => ({ peerAs: as, localAs, peerAddress: address, localAddress });

export class MrtUpdates implements SessionTap {
  private file: { readonly path: string; readonly stream: WriteStream; octets: number } | undefined;
  private timer: Timer | undefined;
  private count = 0;
  /** Records written and dropped since the start. */
  readonly counters = { written: 0, dropped: 0 };

  constructor(
    readonly options: MrtUpdatesOptions,
    private readonly clock: Clock,
    private readonly failed: (text: string) => void,
  ) {
    this.rotateLater();
  }

  message(session: TappedSession, direction: 'sent' | 'received', message: Uint8Array): void {
    if (direction !== 'received' || message[TYPE_OFFSET] !== MessageType.update) return;
    // One form for all families of a session: the record cannot tell them apart (RFC 8050 section 3).
    const addPath = session.families.map(afiSafiOf).some(({ afi, safi }) => session.asReceived.addPath(afi, safi));
    this.write(mrtMessage(this.clock.unixMs(), mrtSession(session), message, { fourOctetAs: session.fourOctetAs, addPath }));
  }

  state(session: TappedSession, from: Parameters<typeof mrtStateChange>[2], to: Parameters<typeof mrtStateChange>[3]): void {
    this.write(mrtStateChange(this.clock.unixMs(), mrtSession(session), from, to));
  }

  /** Completes the file that is open. */
  close(): Promise<void> {
    this.timer?.cancel();
    return this.finish();
  }

  private write(record: Uint8Array): void {
    const file = (this.file ??= this.open());
    if (!file || file.stream.writableLength > QUEUE_LIMIT) {
      this.counters.dropped++;
      return;
    }
    file.stream.write(record);
    file.octets += record.length;
    this.counters.written++;
    if (file.octets >= this.options.maxOctets) void this.finish();
  }

  private open(): typeof this.file {
    const { directory } = this.options;
    try {
      makeDirectory(directory);
    } catch (error) {
      this.failed(`MRT: ${directory} cannot be made: ${String(error)}`);
      return undefined;
    }
    // Two files of one second differ by a number.
    const path = `${join(directory, mrtFileName('updates', this.clock.unixMs())).slice(0, -4)}${this.count++ === 0 ? '' : `-${this.count}`}.mrt`;
    const stream = createWriteStream(`${path}.part`);
    stream.on('error', (error) => {
      this.failed(`MRT: ${path}: ${error.message}`);
      if (this.file?.stream === stream) this.file = undefined;
    });
    return { path, stream, octets: 0 };
  }

  private rotateLater(): void {
    const { rotateMs } = this.options;
    // On the clock's round times, so that files of several routers match.
    this.timer = this.clock.setTimeout(() => {
      this.count = 0;
      void this.finish();
      this.rotateLater();
    }, rotateMs - (this.clock.unixMs() % rotateMs));
  }

  private finish(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    if (!file) return Promise.resolve();
    return new Promise((resolve) => {
      file.stream.end(() => {
        try {
          renameSync(`${file.path}.part`, file.path);
        } catch (error) {
          this.failed(`MRT: ${file.path}: ${String(error)}`);
        }
        resolve();
      });
      file.stream.once('error', () => resolve());
    });
  }
}
