/** Puts tables of results between the marks of a page: `<!-- table: NAME -->` and `<!-- /table -->`. */
import type { Result } from '../results.ts';
import type { Rows } from './cells.ts';
import type { Table } from './tables.ts';

const MARKED = /<!-- table: (.+?) -->\n[\s\S]*?<!-- \/table -->/g;

/**
 * The page with what the results give today; filling it again changes nothing. A table without results is left out, its
 * marks stay. Throws where page and tables do not agree on which tables there are.
 */
export function fillTables(
  page: string,
  tables: Readonly<Record<string, Table>>,
  resultOf: (bench: string) => Result | undefined,
): string {
  const open = page.split('<!-- table:').length - 1;
  const marked = [...page.matchAll(MARKED)].map(([, name]) => name!);
  if (open !== marked.length) throw new TypeError('expected <!-- /table --> after each table of the page');
  const homeless = Object.keys(tables).find((name) => !marked.includes(name));
  if (homeless !== undefined) throw new TypeError(`expected the mark <!-- table: ${homeless} --> in the page`);
  return page.replaceAll(MARKED, (_, name: string) => {
    const table = tables[name];
    if (table === undefined) throw new TypeError(`the page has a table "${name}" that nobody writes`);
    const result = resultOf(table.bench);
    const text = result === undefined ? '' : `\n${format(table, result)}\n\n`;
    return `<!-- table: ${name} -->\n${text}<!-- /table -->`;
  });
}

function format({ bench, caption, rows }: Table, result: Result): string {
  const run = `[the run of ${result.date.slice(0, 10)}](../bench/results/${bench}.json)`;
  return `${caption}; out of ${run}:\n\n${formatRows(rows(result))}`;
}

function formatRows([head, ...body]: Rows): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head!), line(head!.map(() => '---')), ...body.map(line)].join('\n');
}
