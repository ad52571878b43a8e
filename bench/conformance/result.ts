/** What a probe found for a contender, and how its process says so. */

export interface Result {
  readonly verdict: 'pass' | 'fail' | 'n/a';
  readonly observed: string;
}

export type Message = { readonly begun: string } | { readonly ended: string; readonly result: Result };
