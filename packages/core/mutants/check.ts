/** Whether the faults fit the source and the tests as they are today: by reading them, without running anything. */
import { readFileSync } from 'node:fs';
import { assertTitled, type Fault, withFault } from './fault.ts';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

/** What is wrong with this fault; `undefined`: nothing. */
export function problemOf(fault: Fault): string | undefined {
  try {
    if (withFault(read(`src/${fault.file}`), fault) === read(`src/${fault.file}`)) return 'it changes nothing';
    assertTitled(read(`test/${fault.caughtBy.file}`), fault.caughtBy);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
