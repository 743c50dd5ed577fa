import { Argument, type Command } from 'commander';
import type { Session } from '../session.js';

export function completion(root: Command, session: Session): void {
  root
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'shell').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const { bashScript, fishScript, zshScript } = await import('../completion-scripts.js');
      session.print({ bash: bashScript, zsh: zshScript, fish: fishScript }[shell](root));
    });
}
