/** Runs a command. */
import { installScript, unfollowScript, uninstallScript } from '../change-log/scripts.ts';
import { PRUNED_AT_ONCE } from '../following/upkeep.ts';
import { type Command, HELP, parseCommand } from './command.ts';
import { type Connection, connect } from './connection.ts';
import { describeStatus, readStatus } from './status.ts';

interface Output {
  /** What was asked for. */
  readonly print: (text: string) => void;
  /** What is said about it. */
  readonly say: (line: string) => void;
}

/** The exit code. Whatever goes wrong is said in one line. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv, output: Output): Promise<number> {
  try {
    const { command, url = env.DATABASE_URL } = parseCommand(args);
    if (command.name === 'help') {
      output.print(HELP);
      return 0;
    }
    if ('apply' in command && !command.apply) {
      output.print(scriptOf(command));
      output.say('nothing was done: this is the SQL that --apply runs');
      return 0;
    }
    const connection = await connect(url);
    try {
      return await execute(command, connection, output);
    } finally {
      await connection.end();
    }
  } catch (error) {
    output.say(messageOf(error));
    return 1;
  }
}

function scriptOf(command: Extract<Command, { readonly apply: boolean }>): string {
  if (command.name === 'install') return installScript(command.tables, command.reader);
  return command.tables.length > 0 ? unfollowScript(command.tables) : uninstallScript();
}

async function execute(
  command: Exclude<Command, { name: 'help' }>,
  connection: Connection,
  output: Output,
): Promise<number> {
  if (command.name === 'status') return await showStatus(connection, output);
  if (command.name === 'prune') {
    let [removed, turn] = [0, 0];
    do {
      const { rows } = await connection.query('select evercache.prune($1::interval) as removed', [command.keep]);
      turn = Number(rows[0]?.removed);
      removed += turn;
    } while (turn >= PRUNED_AT_ONCE);
    output.say(`removed ${removed} rows`);
  } else {
    await connection.query(scriptOf(command));
    output.say('done');
  }
  return 0;
}

async function showStatus(connection: Connection, { print, say }: Output): Promise<number> {
  const status = await readStatus(connection);
  if (status === undefined) {
    say('no change log is installed in this database');
    return 1;
  }
  print(describeStatus(status));
  return status.problems === null ? 0 : 1;
}

function messageOf(error: unknown): string {
  // A host with several addresses fails with one error for each.
  const cause = error instanceof AggregateError ? error.errors[0] : error;
  return String(cause instanceof Error ? cause.message || cause.name : cause).replaceAll(/\s+/g, ' ');
}
