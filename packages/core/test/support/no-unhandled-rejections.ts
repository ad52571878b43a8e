/** A rejection that nobody handles ends a Node process: no test may leave one behind. */
import { afterEach, beforeEach, expect } from 'vitest';
import { settle } from '../../testing/index.ts';

export function expectNoUnhandledRejections(): void {
  let unhandled: unknown[];
  const listener = (reason: unknown): void => void unhandled.push(reason);
  beforeEach(() => {
    unhandled = [];
    process.on('unhandledRejection', listener);
  });
  afterEach(async () => {
    await settle();
    process.off('unhandledRejection', listener);
    expect(unhandled).toEqual([]);
  });
}
