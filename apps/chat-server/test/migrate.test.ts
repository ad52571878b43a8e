import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddedDataDir } from '../../../test/support/embedded-directory.ts';
import { usePostgres, usePrivatePostgres } from '../../../test/support/use-postgres.ts';
import { checkTool } from '../src/agents/check-tool.ts';
import { createCaches } from '../src/caches.ts';
import { type Database, openDatabase } from '../src/database.ts';
import { InFlight } from '../src/in-flight.ts';
import { Lifespan } from '../src/lifespan.ts';
import { silentLog } from '../src/log.ts';
import { migrate } from '../src/migrate.ts';
import { createServerLog } from '../src/server-log.ts';
import { createToolView } from '../src/tool-mirror.ts';
import { usePGlite } from './support/databases.ts';

const ALL = ['0001_agents-and-tools', '0002_sessions-and-keys', '0003_tool-statements', '0004_demo-data'];

async function schemaOf(database: Database): Promise<unknown[]> {
  return database.query(
    `select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
     where table_schema = 'public' order by table_name, column_name`,
  );
}

describe('migrations', () => {
  const postgres = usePostgres();
  let embedded: Database;
  beforeAll(async () => {
    embedded = await openDatabase({ dataDir: embeddedDataDir() });
  });
  afterAll(() => embedded.close());

  it('bring an empty PGlite to the newest state, and leave it alone the second time', async () => {
    expect(await migrate(embedded)).toEqual(ALL);
    const schema = await schemaOf(embedded);
    expect(await migrate(embedded)).toEqual([]);
    expect(await schemaOf(embedded)).toEqual(schema);
  });

  it('leave nothing half done when one fails', async () => {
    const database = await openDatabase({ dataDir: '', databaseUrl: postgres.url });
    await database.query('create table demo_products (sku text)'); // in the way of the last migration
    await expect(migrate(database)).rejects.toThrow(/demo_products/);
    expect(await database.query(`select 1 from pg_tables where tablename = 'tools'`)).toEqual([]);
    await database.query('drop table demo_products');
    await database.close();
  });

  it('bring an empty PostgreSQL to the same state as PGlite, also when five instances start at once', async () => {
    const instances = await Promise.all(
      Array.from({ length: 5 }, () => openDatabase({ dataDir: '', databaseUrl: postgres.url })),
    );
    const applied = await Promise.all(instances.map((database) => migrate(database)));
    expect(applied.flat()).toEqual(ALL);
    expect(await migrate(instances[0]!)).toEqual([]);
    expect(await schemaOf(instances[0]!)).toEqual(await schemaOf(embedded));
    await Promise.all(instances.map((database) => database.close()));
  });
});

describe('a user of PostgreSQL who is not its superuser', () => {
  const postgres = usePrivatePostgres();
  const PASSWORD = 'hunter2';

  /** A database that belongs to a new user; opened as that user. */
  async function openAs(user: string, attributes: string): Promise<Database> {
    const admin = await openDatabase({ dataDir: '', databaseUrl: postgres.server.url });
    await admin.query(`create role ${user} login password '${PASSWORD}' ${attributes}`);
    await admin.query(`create database ${user} owner ${user}`);
    await admin.close();
    const url = new URL(postgres.server.url);
    Object.assign(url, { username: user, password: PASSWORD, pathname: `/${user}` });
    return openDatabase({ dataDir: '', databaseUrl: url.href });
  }

  const sqlTool = { name: 'a', kind: 'sql', description: '', argsSchema: { type: 'object' } };
  const reading = { ...sqlTool, config: { statement: 'select title from demo_tasks' } };
  const prying = { ...sqlTool, config: { statement: 'select key_hash from api_keys' } };

  /** What a server with this database writes to its log at its first attempt. */
  async function firstAttempt(database: Database): Promise<string> {
    const lines: string[] = [];
    const log = createServerLog('info', { write: (line) => void lines.push(line) });
    const lifespan = new Lifespan({ database, caches: createCaches(database), inFlight: new InFlight(), log });
    const started = lifespan.start();
    await expect.poll(() => lines.join(''), { timeout: 10_000 }).toContain('the database could not be prepared');
    await lifespan.drain(0);
    await started;
    await database.close();
    return lines.join('');
  }

  it('reads in the log what to ask the administrator for: the role of the tools, or to be in it', async () => {
    const plain = await firstAttempt(await openAs('plain', ''));
    expect(plain).toContain('the role chat_tools is missing and plain may not create it');
    expect(plain).toContain('create role chat_tools nologin; grant chat_tools to the user of DATABASE_URL');

    const admin = await openDatabase({ dataDir: '', databaseUrl: postgres.server.url });
    await admin.query('create role chat_tools nologin');
    const outsider = await firstAttempt(await openAs('outsider', ''));
    expect(outsider).toContain('outsider is not a member of the role chat_tools');
    expect(outsider).toContain('As an administrator: grant chat_tools to the user of DATABASE_URL');
    await admin.query('drop role chat_tools');
    await admin.close();

    for (const written of [plain, outsider]) {
      expect(written).not.toContain('create function run_tool_statement');
      expect(written).not.toContain(PASSWORD);
    }
  });

  it('migrates if it may create roles, and so does one to whom the role was granted', async () => {
    const creator = await openAs('creator', 'createrole');
    expect(await migrate(creator)).toEqual(ALL);
    await checkTool(reading, creator);
    await expect(checkTool(prying, creator)).rejects.toThrow(/permission denied/);
    await creator.close();

    const granted = await openAs('granted', 'in role chat_tools');
    expect(await migrate(granted)).toEqual(ALL);
    await checkTool(reading, granted);
    await granted.close();
  });

  it('has caches that work also where it may not log changes', async () => {
    const database = await openAs('quiet', 'in role chat_tools');
    const admin = await openDatabase({
      dataDir: '',
      databaseUrl: Object.assign(new URL(postgres.server.url), { pathname: '/quiet' }).href,
    });
    await admin.query('create schema evercache');
    const warnings: string[] = [];
    expect(await migrate(database, { ...silentLog, warn: (_, text) => warnings.push(text) })).toEqual(ALL);
    expect(warnings).toEqual([expect.stringContaining('changes cannot be logged')]);
    const tools = createToolView(database);
    await tools.start();
    expect(tools.status()).toMatchObject({ state: 'live', source: { tier: 'snapshot' } });
    await tools.stop();
    await admin.query('drop schema evercache');
    expect(await migrate(database)).toEqual([]);
    await tools.start();
    expect(tools.status().source).toMatchObject({ tier: 'change log' });
    await tools.stop();
    await database.close();
    await admin.close();
  });

  it('may let tools log in as somebody weaker still', async () => {
    const admin = await openDatabase({ dataDir: '', databaseUrl: postgres.server.url });
    await admin.query(`create role tools_only login password '${PASSWORD}' in role chat_tools`);
    const databaseUrl = await postgres.server.createDatabase();
    const url = new URL(databaseUrl);
    Object.assign(url, { username: 'tools_only', password: PASSWORD });
    const database = await openDatabase({ dataDir: '', databaseUrl, toolDatabaseUrl: url.href });
    await migrate(database);
    await checkTool(reading, database);
    const [who] = await database.restricted({ timeoutMs: 1000 }, ({ query }) => query('select session_user as name'));
    expect(who).toEqual({ name: 'tools_only' });
    await database.close();
    await admin.close();
  });
});

describe('the tables', () => {
  const test = usePGlite();

  it('refuse what no row may be, whoever writes it', async () => {
    const refused = [
      `insert into tools (name, kind) values ('no spaces', 'static')`,
      `insert into tools (name, kind) values ('${'x'.repeat(65)}', 'static')`,
      `insert into tools (name, kind, config) values ('a', 'static', '[]')`,
      `insert into tools (name, kind, is_active) values ('a', 'static', null)`,
      `insert into tools (name, kind, is_deleted) values ('a', 'static', null)`,
      `insert into agent_configurations (agent_name, instructions) values ('a', '')`,
      `insert into agent_configurations (agent_name, instructions) values ('-', 'x')`,
      `insert into api_keys (key_hash, prefix, user_id) values ('ek_the-key-itself', 'ek_', 'u')`,
      `insert into chat_messages (session_id, user_id, role, content) values ('none', 'u', 'user', 'x')`,
    ];
    for (const statement of refused) await expect(test.database.query(statement), statement).rejects.toThrow();
  });

  it('let a deleted tool give its name back, and keep the name of a living one', async () => {
    const insert = `insert into tools (name, kind) values ('a', 'static')`;
    await test.database.query(insert);
    await expect(test.database.query(insert)).rejects.toThrow(/tools_name/);
    await test.database.query(`update tools set is_deleted = true where name = 'a'`);
    await test.database.query(insert);
  });

  it('note when a row was changed', async () => {
    await test.database.query(`insert into tools (name, kind, updated_at) values ('old', 'static', '2020-01-01')`);
    await test.database.query(`update tools set description = 'new' where name = 'old'`);
    const [row] = await test.database.query<{ recent: boolean }>(
      `select updated_at > '2020-01-02' as recent from tools where name = 'old'`,
    );
    expect(row?.recent).toBe(true);
  });
});
