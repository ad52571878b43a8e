/**
 * One PostgreSQL for all test files of a run: that of TEST_DATABASE_URL where given, else a private one. Tests get at
 * it with `usePostgres()`.
 */
import type { TestProject } from 'vitest/node';
import { createDatabase } from './create-database.ts';
import { startPrivatePostgres } from './private-postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The shared server, or why there is none. */
    postgres: { readonly url: string } | { readonly missing: string };
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined && given !== '') {
    // A server that was asked for and does not work is a failure, not a reason to skip.
    await (await createDatabase(given)).drop();
    project.provide('postgres', { url: given });
    return undefined;
  }
  try {
    const server = await startPrivatePostgres();
    project.provide('postgres', { url: server.url });
    return () => server.stop();
  } catch (error) {
    project.provide('postgres', { missing: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}
