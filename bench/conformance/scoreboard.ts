/** The results as a page. Every word on a contender comes from its adapter or from what was observed. */
import type { Contender } from './contender.ts';
import { NOT_OFFERED, type Probe, type ProbeGroup } from './probe.ts';
import type { Result } from './result.ts';

/** A contender, its version, and its results by the id of the probe. */
export interface Column {
  readonly contender: Contender;
  readonly version: string;
  readonly results: ReadonlyMap<string, Result>;
}

export interface Circumstances {
  readonly date: string;
  readonly node: string;
  readonly tookSeconds: number;
}

const SIGNS = { pass: '✓', fail: '✗', 'n/a': '–' } as const;

export function writeScoreboard(
  groups: readonly ProbeGroup[],
  columns: readonly Column[],
  { date, node, tookSeconds }: Circumstances,
): string {
  return `${[
    '# The scoreboard',
    'What caches for Node do when things happen at once, fail, hang or lie: the same probes for all of them.',
    [
      `Written by \`npm run scoreboard\` on ${date} with Node ${node}, in ${tookSeconds} s; do not edit.`,
      'The probes are in [bench/conformance/probes](../bench/conformance/probes), the adapters in',
      '[bench/conformance/adapters](../bench/conformance/adapters).',
    ].join('\n'),
    howItWasRun(),
    '## Who takes part',
    contendersTable(columns),
    '## The table',
    `${SIGNS.pass} as expected · ${SIGNS.fail} not as expected · ${SIGNS['n/a']} does not apply: offers nothing of the kind, or see the probe`,
    table(groups, columns),
    '## The probes',
    ...groups.flatMap((group) => [`### ${group.title}`, ...group.probes.map((probe) => section(probe, columns))]),
  ].join('\n\n')}\n`;
}

function howItWasRun(): string {
  return [
    'How to read it:',
    '',
    '- The probes were chosen by those who make Evercache, from what it promises, from what the others were seen to do,',
    '  and from what users of caches complain of. Other choices would give other sums, so none are given. Where another',
    '  does better, the probe stays. Speed and memory per entry are not the subject.',
    '- Each contender is configured once, as its own documentation advises, for a ttl of a minute. Not every expectation',
    '  was its author\'s aim: what means to serve expired values at once fails "An expired value is not served ...".',
    '- Each runs in a process of its own and in memory (a Map or a folder stands for a second tier), in fake time: clocks,',
    '  timers and chance are replaced before it is loaded. So every run gives the same verdicts. The one probe that needs',
    '  real time says so.',
    '- A probe fails, too, if an error is left to nobody (Node ends a process for that), and if the process hangs or dies.',
  ].join('\n');
}

function contendersTable(columns: readonly Column[]): string {
  return rows([
    ['contender', 'version', 'configured'],
    ...columns.map(({ contender, version }) => [contender.name, version, contender.configuration]),
  ]);
}

function table(groups: readonly ProbeGroup[], columns: readonly Column[]): string {
  const lines = groups.flatMap((group) => [
    [`**${group.title}**`, ...columns.map(() => '')],
    ...group.probes.map((probe) => [
      `[${probe.title}](#${probe.id})`,
      ...columns.map(({ results }) => SIGNS[results.get(probe.id)!.verdict]),
    ]),
  ]);
  return rows([['', ...columns.map(({ contender }) => contender.name)], ...lines]);
}

function section({ id, title, expected, why }: Probe, columns: readonly Column[]): string {
  const told = columns.filter(({ results }) => isNews(results.get(id)!));
  return [
    `<a id="${id}"></a>**${title}** — ${expected}. *Why:* ${why}.`,
    ...[...Map.groupBy(told, ({ results }) => results.get(id)!.observed)].map(
      ([observed, alike]) => `- ${alike.map(({ contender }) => contender.name).join(', ')}: ${escaped(observed)}`,
    ),
  ].join('\n');
}

function rows([head, ...body]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head!), line(head!.map(() => '---')), ...body.map(line)].join('\n');
}

/** That a contender offers nothing of the kind is said by the table. */
function isNews({ verdict, observed }: Result): boolean {
  return verdict === 'fail' || (verdict === 'n/a' && !observed.startsWith(NOT_OFFERED));
}

/** Error messages are others' text. */
function escaped(text: string): string {
  return text.replaceAll(/[|<>*\n]/g, (character) => (character === '\n' ? ' ' : `\\${character}`));
}
