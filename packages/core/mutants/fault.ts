/** A fault: one change to the source of core that breaks a promise, and the test that must not let it pass. */

export interface Fault {
  /** What is wrong with a cache that has it: a sentence. */
  readonly name: string;
  /** The number of the promise that it breaks (see ../explore/promises.ts). */
  readonly promise: number;
  /** In `src`. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly caughtBy: NamedTest;
  /** Such a cache never comes to an end, so that the test cannot either. */
  readonly hangs?: true;
}

/** A test, by its file and title; `*` stands for what the test fills in: `$name`, `${name}`, `%s`. */
export interface NamedTest {
  readonly file: string;
  readonly title: string;
}

/** The file with the fault in it; throws where it does not apply exactly once. */
export function withFault(source: string, { file, find, replace }: Fault): string {
  const places = source.split(find).length - 1;
  if (places !== 1) throw new Error(`expected the text to stand once in ${file}, found ${places}: ${find}`);
  return source.replace(find, () => replace);
}

/** Throws where the text of a test file has no test of this title, or several. */
export function assertTitled(source: string, { file, title }: NamedTest): void {
  const written = titlePattern(title, '(?:\\$\\{[^}]*\\}|\\$\\w+|%\\w)');
  const places = [...source.matchAll(new RegExp(`(['"\`])${written}\\1,`, 'g'))].length;
  if (places !== 1) throw new Error(`expected one test of this title in ${file}, found ${places}: ${title}`);
}

/** The source of a regular expression for the title: with `filling` where the test fills something in. */
export function titlePattern(title: string, filling: string = '.*'): string {
  return title.split('*').map(literal).join(filling);
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
