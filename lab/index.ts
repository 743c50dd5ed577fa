/** The lab as a library: for tests and the demo. */
export { Capture } from './capture.js';
export { Lab, type UpOptions } from './lab.js';
export { Daemon, LabNode } from './runner/node.js';
export { NodeProcess, type ExecOptions, type ExecResult } from './runner/enter.js';
export { LabError } from './runner/state.js';
export { waitFor, type WaitOptions } from './runner/wait.js';
export { TopologyError } from './topology/document.js';
