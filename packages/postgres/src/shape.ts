/** What the columns of the SELECT are, and how each is written. */
import {
  type KeyComparison,
  keyComparisonOf,
  type OutputSetting,
  type Rendering,
  renderingOf,
} from './column-types.ts';
import type { Origin } from './database.ts';
import { badResult } from './errors.ts';
import type { ResolvedOptions } from './options.ts';
import type { ResolvedType } from './type-catalog.ts';

/** What the database says of a column. */
export interface DescribedColumn {
  readonly name: string;
  readonly type: ResolvedType;
  readonly origin: Origin | undefined;
}

export interface Column extends DescribedColumn, Rendering {
  /** How keys are compared with it; `undefined`: as text. */
  readonly comparison: KeyComparison | undefined;
}

export interface Shape {
  readonly columns: readonly Column[];
  /** Settings the columns have to be written with. */
  readonly settings: readonly OutputSetting[];
  /** `undefined`: keys are compared as text. */
  readonly keyComparison: KeyComparison | undefined;
  /** SQL of a row's key, where it is not the text of one column. `r` is the row ready for JSON. */
  readonly keySql?: string;
}

type ColumnOptions = Pick<ResolvedOptions, 'key' | 'orderBy' | 'presentWhen'>;

/** Checks that the columns are what the options speak of. */
export function toShape(described: readonly DescribedColumn[], options: ColumnOptions): Shape {
  const names = described.map(({ name }) => name);
  described.forEach(({ name, type: { refused } }, index) => {
    if (names.indexOf(name) !== index) {
      throw badResult(`column "${name}" is ambiguous: the SELECT has two columns of that name`, '42702');
    }
    if (refused !== undefined) {
      const hint = 'which looks different from session to session: select its parts, or cast it to text';
      throw badResult(`column "${name}" is ${refused}, ${hint}`, '0A000');
    }
  });
  const wanted = { key: [options.key], orderBy: options.orderBy, presentWhen: [options.presentWhen ?? options.key] };
  for (const [option, columns] of Object.entries(wanted)) {
    for (const column of columns) {
      if (names.includes(column)) continue;
      const existing = names.map((name) => `"${name}"`).join(', ');
      throw badResult(`column "${column}" does not exist: option "${option}" needs one of ${existing}`, '42703');
    }
  }
  const columns = described.map((column) => {
    const { type, isArray } = column.type;
    return { ...column, ...renderingOf(type, isArray), comparison: isArray ? undefined : keyComparisonOf(type) };
  });
  return {
    columns,
    settings: [...new Set(columns.flatMap(({ setting }) => setting ?? []))],
    keyComparison: columns[names.indexOf(options.key)]!.comparison,
  };
}
