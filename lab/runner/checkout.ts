import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Folder of this program: this file is dist/lab/runner/checkout.js in it. Nodes see it at the same path. */
export const checkout = realpathSync(fileURLToPath(new URL('../../..', import.meta.url)));
