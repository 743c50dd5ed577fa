/** The command tree of cpnctl. */
import { Command } from 'commander';
import { benchmark } from './commands/benchmark.js';
import { bgpDump } from './commands/bgp-dump.js';
import { bgpPolicyTest } from './commands/bgp-policy-test.js';
import { bgpShutdown } from './commands/bgp-shutdown.js';
import { clear } from './commands/clear.js';
import { completion } from './commands/completion.js';
import { config } from './commands/config.js';
import { doctor } from './commands/doctor.js';
import { drain } from './commands/drain.js';
import { explain } from './commands/explain.js';
import { model } from './commands/model/index.js';
import { monitor } from './commands/monitor.js';
import { service } from './commands/service.js';
import { showBfd } from './commands/show-bfd.js';
import { showBgpNeighbors } from './commands/show-bgp-neighbors.js';
import { showBgpPolicy } from './commands/show-bgp-policy.js';
import { showBgpRoutes } from './commands/show-bgp-routes.js';
import { showBgpSummary } from './commands/show-bgp-summary.js';
import { showComnet } from './commands/show-comnet.js';
import { showComputingNodes } from './commands/show-computing-nodes.js';
import { showComputingRib } from './commands/show-computing-rib.js';
import { showFib } from './commands/show-fib.js';
import { showFlows } from './commands/show-flows.js';
import { showInterfaces } from './commands/show-interfaces.js';
import { showOspf } from './commands/show-ospf.js';
import { showRoutes } from './commands/show-routes.js';
import { showServices } from './commands/show-services.js';
import { showSids } from './commands/show-sids.js';
import { showStatus } from './commands/show-status.js';
import { showTelemetry } from './commands/show-telemetry.js';
import { update } from './commands/update.js';
import { DEFAULT_TARGET, Session } from './session.js';

export function buildProgram(): { program: Command; session: Session } {
  const program = new Command('cpnctl')
    .description('inspects and steers cpnd, the computing-power network router')
    .option('--json', 'print JSON: 64-bit numbers as strings, what is not known as null')
    .option('--target <target>', 'socket of the daemon', process.env['CPN_TARGET'] ?? DEFAULT_TARGET)
    .addHelpText('after', '\nExit status: 0 done, 1 the answer is no, 2 wrong usage, 3 the daemon cannot be reached.')
    .exitOverride();
  const session = new Session(program);

  const show = program.command('show').description('what the router knows and does');
  showStatus(show, session);
  const bgp = show.command('bgp').description('BGP sessions and routes');
  showBgpSummary(bgp, session);
  showBgpNeighbors(bgp, session);
  showBgpRoutes(bgp, session);
  showBgpPolicy(bgp, session);
  showBfd(show, session);
  showOspf(show, session);
  showRoutes(show, session);
  showSids(show, session);
  showInterfaces(show, session);
  showServices(show, session);
  const computing = show.command('computing').description('computing power behind the exits');
  showComputingRib(computing, session);
  showComputingNodes(computing, session);
  showComnet(show, session);
  showFib(show, session);
  showFlows(show, session);
  showTelemetry(show, session);

  explain(program, session);
  monitor(program, session);
  clear(program, session);
  const bgpActions = program.command('bgp').description('shut down and enable BGP sessions, try policies, dump the table');
  bgpShutdown(bgpActions, session);
  bgpPolicyTest(bgpActions, session);
  bgpDump(bgpActions, session);
  drain(program, session);
  update(program, session);
  service(program, session);
  config(program, session);
  doctor(program, session);
  model(program, session);
  benchmark(program, session);
  completion(program, session);
  return { program, session };
}
