/** The programs of this checkout as nodes see them. */
import { checkout } from '../checkout.js';

export const cpnd = [process.execPath, '--enable-source-maps', `${checkout}/dist/daemon/cpnd.js`];
export const cpnctl = [process.execPath, `${checkout}/dist/cli/cpnctl.js`];

/** Writes a command `name` that runs `argv` with the arguments it gets. */
export const command = (name: string, argv: readonly string[]): string =>
  `printf '#!/bin/sh\\nexec ${argv.map((word) => `"${word}"`).join(' ')} "$@"\\n' > /usr/local/bin/${name} && chmod 755 /usr/local/bin/${name}`;
