/** Core's tests for Stryker: all but those that look at the code as text, or run for long by themselves. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/core/test/**/*.test.ts'],
    exclude: ['mutants', 'explore', 'soak', 'testing-page'].map((name) => `**/${name}.test.ts`),
    restoreMocks: true,
    testTimeout: 5_000,
  },
});
