/** One flow of the traffic client: a UDP socket or a TCP connection that sends requests and hears answers. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { native } from '../../dataplane/native/index.js';
import { canonicalIp } from '../../dataplane/packet/ip.js';
import { clearOptions, openSocket, socketAddress, type SocketRequest } from './option.js';

const SOL_SOCKET = 1;
const SO_ERROR = 4;

/** Called with the request's number and the answering node's name. */
export type OnAnswer = (sequence: number, node: string) => void;

export interface Flow {
  readonly sourcePort: number;
  /** Sends a request; its answer, if any, comes to the flow's OnAnswer. */
  send(sequence: number, octets: number): void;
  close(): void;
}

function parseAnswer(text: string, onAnswer: OnAnswer): void {
  const match = /^(\d+) (\S+)/.exec(text);
  if (match) onAnswer(Number(match[1]), match[2]!);
}

function requestText(sequence: number, octets: number): string {
  return `${`${sequence} `.padEnd(octets - 1)}\n`;
}

class UdpFlow implements Flow {
  private optionsLeft: boolean;

  constructor(
    private readonly fd: number,
    private readonly socket: UdpSocket,
    private readonly request: SocketRequest,
    onAnswer: OnAnswer,
    private readonly everyPacket: boolean,
  ) {
    this.optionsLeft = request.options !== undefined;
    const service = canonicalIp(request.to);
    socket.on('message', (message, sender) => {
      // An answer from another address is no answer of the service.
      if (sender.address === service) parseAnswer(message.toString('latin1'), onAnswer);
    });
    // ICMPv6 errors about requests: those requests are the ones without an answer.
    socket.on('error', () => undefined);
  }

  get sourcePort(): number {
    return this.socket.address().port;
  }

  send(sequence: number, octets: number): void {
    this.socket.send(requestText(sequence, octets), this.request.port, this.request.to, () => {
      if (this.optionsLeft && !this.everyPacket) clearOptions(this.fd);
      this.optionsLeft = false;
    });
  }

  close(): void {
    this.socket.close();
  }
}

class TcpFlow implements Flow {
  constructor(
    private readonly socket: Socket,
    readonly sourcePort: number,
    onAnswer: OnAnswer,
  ) {
    socket.setNoDelay(true);
    // A reset reaches both; the requests without an answer tell of it.
    socket.on('error', () => undefined);
    createInterface({ input: socket })
      .on('line', (line) => parseAnswer(line, onAnswer))
      .on('error', () => undefined);
  }

  send(sequence: number, octets: number): void {
    if (this.socket.writable) this.socket.write(requestText(sequence, octets));
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Opens a UDP flow. `everyPacket` leaves the requirement option on later packets too. */
export async function openUdp(request: SocketRequest, everyPacket: boolean, onAnswer: OnAnswer): Promise<Flow> {
  const fd = openSocket('udp', request);
  const socket = createSocket({ type: request.to.includes(':') ? 'udp6' : 'udp4' });
  await new Promise<void>((resolve, reject) => socket.once('error', reject).bind({ fd }, resolve));
  return new UdpFlow(fd, socket, request, onAnswer, everyPacket);
}

/** Connects a TCP flow. Rejects with the kernel's reason, or after the time allowed (ms). */
export async function openTcp(request: SocketRequest, everyPacket: boolean, timeoutMs: number, onAnswer: OnAnswer): Promise<Flow> {
  const fd = openSocket('tcp', request);
  try {
    native.connect(fd, socketAddress(request.to, request.port));
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => finish(new Error('connect: timed out')), timeoutMs);
      const poll = native.poll(fd, 2, () => {
        const error = new DataView(native.getsockopt(fd, SOL_SOCKET, SO_ERROR, 4).buffer).getInt32(0, true);
        finish(error === 0 ? undefined : new Error(`connect: errno ${error}`));
      });
      const finish = (error: Error | undefined): void => {
        clearTimeout(timer);
        poll.close();
        if (error) reject(error);
        else resolve();
      };
    });
    if (request.options && !everyPacket) clearOptions(fd);
  } catch (error) {
    native.close(fd);
    throw error;
  }
  const local = native.getsockname(fd);
  return new TcpFlow(new Socket({ fd, readable: true, writable: true }), new DataView(local.buffer, local.byteOffset).getUint16(2), onAnswer);
}
