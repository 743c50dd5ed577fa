/** Shell completion out of the command tree: the scripts hold all words, so that completing needs no run of cpnctl. */
import type { Command } from 'commander';

/** What may follow one command path. */
export interface CompletionNode {
  /** Words of the path below cpnctl: `show bgp`; empty for cpnctl itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly { readonly flag: string; readonly takesValue: boolean; readonly choices: readonly string[]; readonly description: string }[];
  /** The argument is a file. */
  readonly files: boolean;
  /** Fixed words of the arguments. */
  readonly words: readonly string[];
}

const ARGUMENT_WORDS: Readonly<Record<string, readonly string[]>> = { soft: ['soft'], shell: ['bash', 'zsh', 'fish'] };

export function completionNodes(root: Command): CompletionNode[] {
  const nodes: CompletionNode[] = [];
  const shared = optionsOf(root);
  const visit = (command: Command, path: string): void => {
    nodes.push({
      path,
      commands: command.commands.map((child) => ({ name: child.name(), description: child.description() })),
      options: command === root ? shared : [...optionsOf(command), ...shared],
      files: command.registeredArguments.some((argument) => argument.name() === 'file'),
      words: command.registeredArguments.flatMap((argument) => ARGUMENT_WORDS[argument.name()] ?? []),
    });
    for (const child of command.commands) visit(child, path === '' ? child.name() : `${path} ${child.name()}`);
  };
  visit(root, '');
  return nodes;
}

function optionsOf(command: Command): CompletionNode['options'] {
  return command.options.flatMap((option) =>
    option.long === undefined ? [] : [{ flag: option.long, takesValue: option.required, choices: option.argChoices ?? [], description: option.description }],
  );
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Shell code that finds the command path among the words before the cursor, skipping options and their values. */
function pathCases(nodes: readonly CompletionNode[]): string {
  return nodes
    .filter((node) => node.path !== '')
    .map((node) => quote(node.path))
    .join('|');
}

function valueFlags(nodes: readonly CompletionNode[]): string {
  return [...new Set(nodes.flatMap((node) => node.options.filter((option) => option.takesValue).map((option) => option.flag)))].join('|');
}

export function bashScript(root: Command): string {
  const nodes = completionNodes(root);
  const cases = nodes.map((node) => {
    const choices = node.options.filter((option) => option.choices.length > 0).map((option) => `        ${option.flag}) words=${quote(option.choices.join(' '))} ;;\n`);
    const words = [...node.commands.map((child) => child.name), ...node.words].join(' ');
    return `    ${quote(node.path)})
      case "$previous" in
${choices.join('')}        ${valueFlags([node])}) return ;;
        *) if [[ $current == -* ]]; then words=${quote(node.options.map((option) => option.flag).join(' '))}; else words=${quote(words)}; files=${node.files ? '1' : '0'}; fi ;;
      esac ;;
`;
  });
  return `# bash completion of cpnctl: source it, or put it into /etc/bash_completion.d
_cpnctl() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' files=0 i candidate
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      ${valueFlags(nodes)}) i=$((i + 1)); continue ;;
      -*) continue ;;
    esac
    candidate="\${path:+$path }\${COMP_WORDS[i]}"
    case "$candidate" in
      ${pathCases(nodes)}) path=$candidate ;;
    esac
  done
  COMPREPLY=()
  case "$path" in
${cases.join('')}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if ((files)); then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _cpnctl cpnctl
`;
}

export function zshScript(root: Command): string {
  const nodes = completionNodes(root);
  const described = (name: string, description: string): string => quote(`${name.replaceAll(':', '\\:')}:${description}`);
  const cases = nodes.map((node) => {
    const choices = node.options.filter((option) => option.choices.length > 0).map((option) => `        ${option.flag}) compadd -- ${option.choices.join(' ')}; return ;;\n`);
    const commands = [...node.commands.map((child) => described(child.name, child.description)), ...node.words.map((word) => described(word, word))];
    return `    (${quote(node.path)})
      case "$previous" in
${choices.join('')}        ${valueFlags([node])}) return ;;
      esac
      options=(${node.options.map((option) => described(option.flag, option.description)).join(' ')})
      commands=(${commands.join(' ')})
      ${node.files ? '_files' : ':'} ;;
`;
  });
  return `#compdef cpnctl
# zsh completion of cpnctl: put it as _cpnctl into a folder of $fpath, or: source <(cpnctl completion zsh)
_cpnctl() {
  local previous=\${words[CURRENT-1]} path_words='' candidate word
  local -a options commands
  integer i
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case "$word" in
      ${valueFlags(nodes)}) i=$((i + 1)); continue ;;
      -*) continue ;;
    esac
    candidate="\${path_words:+$path_words }$word"
    case "$candidate" in
      ${pathCases(nodes)}) path_words=$candidate ;;
    esac
  done
  case "$path_words" in
${cases.join('')}  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe option options; else _describe command commands; fi
}
compdef _cpnctl cpnctl
`;
}

export function fishScript(root: Command): string {
  const nodes = completionNodes(root);
  const lines = nodes.flatMap((node) => {
    const here = `-n ${quote(`__cpnctl_at ${quote(node.path)}`)}`;
    return [
      ...node.commands.map((child) => `complete -c cpnctl ${here} -f -a ${quote(child.name)} -d ${quote(child.description)}`),
      ...(node.words.length > 0 ? [`complete -c cpnctl ${here} -f -a ${quote(node.words.join(' '))}`] : []),
      ...node.options.map((option) => {
        const value = option.takesValue ? ` -x${option.choices.length > 0 ? ` -a ${quote(option.choices.join(' '))}` : ''}` : '';
        return `complete -c cpnctl ${here} -l ${option.flag.slice(2)}${value} -d ${quote(option.description)}`;
      }),
      ...(node.files ? [`complete -c cpnctl ${here} -F`] : []),
    ];
  });
  const paths = nodes.filter((node) => node.path !== '').map((node) => quote(node.path));
  return `# fish completion of cpnctl: cpnctl completion fish > ~/.config/fish/completions/cpnctl.fish
function __cpnctl_at
  set -l path ''
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
      case ${valueFlags(nodes).split('|').join(' ')}
        set skip 1
        continue
      case '-*'
        continue
    end
    set -l candidate (string trim -- "$path $word")
    if contains -- $candidate ${paths.join(' ')}
      set path $candidate
    end
  end
  test "$path" = "$argv[1]"
end
complete -c cpnctl -f
${lines.join('\n')}
`;
}
