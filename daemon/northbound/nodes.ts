/** The methods of NodeService over the facade. */
import { nodeMethods } from '../../proto/methods.js';
import { canonicalIp } from '../../dataplane/packet/ip.js';
import { FacadeError, type RouterFacade } from './facade.js';
import type { Transport } from './transport.js';

export function nodeService(transport: Transport, facade: RouterFacade): void {
  transport.unary(nodeMethods.listRegisteredNodes, () => facade.registeredNodes());
  transport.unary(nodeMethods.setServiceActive, ({ node, service, active }) => {
    const address = canonicalIp(service);
    if (address === undefined) throw new FacadeError('invalid', `service: ${JSON.stringify(service)} is not an IP address`);
    return facade.setServiceActive(node, address, active);
  });
}
