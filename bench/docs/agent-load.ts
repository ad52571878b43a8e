/** The tables of agent-load. */
import type { Measurement } from '../bench.ts';
import type { Result } from '../results.ts';
import { figure, type Rows, times } from './cells.ts';

export function timePerLoad({ measurements }: Result): Rows {
  const timed = measurements.filter(({ metric }) => metric === 'time per load');
  const milliseconds = (row: Measurement | undefined): string =>
    row === undefined ? '' : `${(row.value / 1000).toFixed(1)} ms`;
  return [
    ['', 'cached', 'uncached', 'times shorter', 'uncached, chat server'],
    ...[...Map.groupBy(timed, (row) => row.case)].map(([name, rows]) => {
      const of = (contender: string): Measurement | undefined => rows.find((row) => row.contender === contender);
      const [cached, uncached] = [of('cached')!, of('uncached')!];
      const shorter = `${times(uncached)} ×`;
      return [
        name,
        `${cached.value.toFixed(1)} µs`,
        milliseconds(uncached),
        shorter,
        milliseconds(of('uncached, chat server')),
      ];
    }),
  ];
}

/** What the caches ask beside what is asked without them. */
export function statements({ measurements }: Result): Rows {
  const cached = measurements.filter(({ contender }) => contender === 'cached');
  const beside = ({ case: name, metric }: Measurement): Measurement | undefined =>
    measurements.find((row) => row.contender === 'uncached' && row.case === name && row.metric === metric);
  const wanted = /^statements($| per load$| for agents and tools$)/;
  return [
    ['', 'cached', 'uncached', 'times fewer'],
    ...cached
      .filter(({ metric }) => wanted.test(metric))
      .map((row) => {
        const other = beside(row);
        const what = row.metric === 'statements' ? '' : `, ${row.metric.replace('statements ', '')}`;
        const perMinute = row.unit === 'statements/min' ? ', per minute' : '';
        const without = other === undefined ? ['', ''] : [figure(other.value), `${times(other)} ×`];
        return [`${row.case}${what}${perMinute}`, figure(row.value), ...without];
      }),
  ];
}
