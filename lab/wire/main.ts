/**
 * The wire process of a lab: runs in a network namespace of its own, in which the inner ends of all links meet, and carries their frames.
 * It keeps that namespace; its end takes the links with it. Argument: path of its control socket.
 *
 * It says "ready" and waits for a word from the runner; where the runner dies before, it ends with it.
 */
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { WireAnswer, WireRequest } from './protocol.js';
import { WireLinks } from './links.js';

const socketPath = process.argv[2]!;
const links = new WireLinks();

async function perform(request: WireRequest): Promise<void> {
  switch (request.op) {
    case 'join':
      await links.join(request.links.map((link) => link.impairment));
      return;
    case 'set':
      await links.set(request.link, request.direction, request.change);
      return;
    case 'carrier':
      links.setCarrier(request.links, request.up);
      return;
    case 'status':
      return;
  }
}

async function answer(line: string): Promise<WireAnswer> {
  try {
    await perform(JSON.parse(line) as WireRequest);
    return { ok: true, links: links.status() };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Requests of all connections one after the other: a change is done when its answer is sent. */
let turn = Promise.resolve();

function serve(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  createInterface({ input: socket }).on('line', (line) => {
    turn = turn.then(async () => {
      const text = `${JSON.stringify(await answer(line))}\n`;
      if (!socket.destroyed) socket.write(text);
    });
  });
}

// Ends of links are cables, not hosts: no addresses, solicitations or reports of their own.
writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '1');
writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');

createServer(serve).listen(socketPath, () => {
  let admitted = false;
  process.stdin.on('data', () => (admitted = true));
  process.stdin.on('close', () => {
    if (!admitted) process.exit(1);
  });
  process.stdout.write('ready\n');
});
