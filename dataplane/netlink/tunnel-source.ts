/**
 * Source address of packets that seg6 routes of the kernel encapsulate (linux/seg6_genl.h), one a network namespace. Without one the kernel
 * takes an address of the outgoing link, which SIDs of other routers do not accept (RFC 8754 section 5.1).
 */
import { parseIp } from '../packet/ip.js';
import { Attributes } from './attributes.js';
import { NetlinkClient } from './client.js';
import { CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL, NETLINK_GENERIC, SEG6_ATTR_DST, SEG6_CMD_SET_TUNSRC, SEG6_GENL_NAME, SEG6_GENL_VERSION } from './constants.js';
import { openNetlinkSocket } from './socket.js';

/** Octets of a generic netlink header: command, version, reserved. */
const HEADER = 4;

/** Sets the address; `::` gives it up. Rejects with NetlinkError, and with RangeError for text that is no IPv6 address. */
export async function setTunnelSource(address: string): Promise<void> {
  const octets = parseIp(address);
  if (octets?.length !== 16) throw new RangeError(`${address} is not an IPv6 address`);
  const client = new NetlinkClient(openNetlinkSocket([], NETLINK_GENERIC));
  try {
    await client.request({
      type: await seg6Family(client),
      encode: (writer) => void writer.u8(SEG6_CMD_SET_TUNSRC).u8(SEG6_GENL_VERSION).u16(0).attribute(SEG6_ATTR_DST, octets),
      describe: () => `source of encapsulated packets ${address}`,
    });
  } finally {
    client.close();
  }
}

/** Families of generic netlink have numbers given at run time. */
async function seg6Family(client: NetlinkClient): Promise<number> {
  let id: number | undefined;
  await client.request(
    {
      type: GENL_ID_CTRL,
      encode: (writer) => void writer.u8(CTRL_CMD_GETFAMILY).u8(1).u16(0).attributeText(CTRL_ATTR_FAMILY_NAME, SEG6_GENL_NAME),
      describe: () => `generic netlink family ${SEG6_GENL_NAME}`,
    },
    ({ payload }) => {
      id = new Attributes(payload, HEADER).u16(CTRL_ATTR_FAMILY_ID);
    },
  );
  if (id === undefined) throw new Error(`the kernel did not tell the number of the generic netlink family ${SEG6_GENL_NAME}`);
  return id;
}
