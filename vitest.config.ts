import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests run the sources as they are; the condition makes workspace packages resolve to `src`. */
const conditions = ['@evercache/source', 'node'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // More than there are cores, since many tests wait for servers.
    maxWorkers: '150%',
    execArgv: ['--conditions=@evercache/source'],
    // Files hold no state between them, so they share workers: to start one costs more than most of them.
    isolate: false,
    // Processes that tests start would compile the same sources each time.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url)) },
    testTimeout: 20_000,
    // What a test waits for comes in its time, however busy the machine is.
    expect: { poll: { timeout: 15_000 } },
    hookTimeout: 60_000,
    restoreMocks: true,
    projects: [
      {
        extends: true,
        test: { name: 'core', include: ['packages/core/test/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'with services',
          globalSetup: ['./test/support/global-setup.ts'],
          setupFiles: ['./test/support/remove-copies.ts'],
          include: [
            'packages/postgres/test/**/*.test.ts',
            'apps/*/test/**/*.test.ts',
            'test/**/*.test.ts',
            'bench/test/**/*.test.ts',
          ],
        },
      },
    ],
  },
});
