/** `npm run bench:docs`: writes the tables of docs/performance.md out of the results that are saved. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fillTables } from './docs/fill.ts';
import { tables } from './docs/tables.ts';
import { readResult } from './results.ts';

const page = new URL('../docs/performance.md', import.meta.url);
writeFileSync(page, fillTables(readFileSync(page, 'utf8'), tables, readResult));
console.log('written: docs/performance.md');
