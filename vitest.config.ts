import { defineConfig } from 'vitest/config';

/** Tests run the sources as they are; the condition makes workspace packages resolve to `src`. */
const conditions = ['@evercache/source', 'node'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    globalSetup: ['./test/support/global-setup.ts'],
    include: [
      'packages/*/test/**/*.test.ts',
      'apps/*/test/**/*.test.ts',
      'test/**/*.test.ts',
      'bench/test/**/*.test.ts',
    ],
    execArgv: ['--conditions=@evercache/source'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    restoreMocks: true,
  },
});
