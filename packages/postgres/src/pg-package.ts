/** The package `pg`, which only those need to have who use the command line, or push. */

/** `undefined`: it is not installed. */
export async function loadPgClient(): Promise<typeof import('pg').Client | undefined> {
  try {
    return (await import('pg')).default.Client;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return undefined;
  }
}
