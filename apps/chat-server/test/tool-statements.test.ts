import { describe, expect, it } from 'vitest';
import { checkTool, InvalidTool } from '../src/agents/check-tool.ts';
import { sqlKind } from '../src/agents/tool-kinds/sql.ts';
import type { Database } from '../src/database.ts';
import { DatabaseUnavailable } from '../src/database-unavailable.ts';
import { bothDatabases, useSeededPostgres } from './support/databases.ts';

const draft = { name: 'a', kind: 'sql', description: '', argsSchema: { type: 'object', properties: { x: {} } } };

function config(statement: string, params: object[] = []): Record<string, unknown> {
  return { statement, params };
}

/** Runs without the check that a tool gets when it is written: the wall has to hold by itself. */
function run(database: Database, statement: string, { args = {}, params = [] as object[], timeoutMs = 2000 } = {}) {
  const parsed = sqlKind.configSchema.parse({ statement, params, timeoutMs });
  const context = { userId: 'demo', sessionId: 's' };
  return sqlKind.run({ config: parsed, args, context, database, signal: new AbortController().signal });
}

const ATTACKS: readonly (readonly [what: string, statement: string, why: RegExp])[] = [
  ['write', `update demo_tasks set title = 'x' returning 1`, /syntax error/],
  ['write in a CTE', `with w as (delete from demo_tasks returning 1) select * from w`, /data-modifying|top level/],
  ['read a column that was not granted', 'select internal_note from demo_tasks', /permission denied/],
  ['read a whole row with such a column', 'select t from demo_tasks as t', /permission denied/],
  ['read a table that was not granted', 'select * from api_keys', /permission denied/],
  ['read passwords', 'select rolpassword from pg_authid', /permission denied/],
  ['read a file', `select pg_read_file('/etc/passwd')`, /permission denied/],
  ['run a second statement', 'select 1; delete from demo_tasks', /syntax error/],
  ['close the parenthesis', 'select 1) rows_of_tool; delete from demo_tasks; select * from (select 1', /cursor/],
  ['close the parenthesis to read twice', 'select 1) rows_of_tool; select to_json(1) from (select 1', /cursor/],
  ['lift the limit of rows', 'select 1) rows_of_tool -- ', /syntax error/],
  ['end the transaction', 'commit', /syntax error/],
  ['end the transaction behind a parenthesis', 'select 1) rows_of_tool; commit; select * from (select 1', /cursor/],
  ['become the owner again', `select set_config('role', 'none', true)`, /security-definer|permission denied/],
  [
    'become somebody else',
    `select set_config('session_authorization', 'postgres', true)`,
    /security-definer|permission denied/,
  ],
  ['become writable', `select set_config('transaction_read_only', 'off', true)`, /read-write mode/],
  [
    'become the owner inside a function that runs SQL',
    `select set_config('role', 'none', true), w.* from ts_stat('select to_tsvector(internal_note) from demo_tasks') as w`,
    /permission denied|security-definer/,
  ],
  [
    'read a hidden column inside a function that runs SQL',
    `select query_to_xml('select internal_note from demo_tasks', true, true, '')`,
    /permission denied/,
  ],
  ['lock rows', 'select id from demo_tasks for update', /not allowed|permission denied/],
  ['make a table', 'select 1 into stolen', /syntax error|not allowed|SELECT INTO|INTO/],
  ['call a function that writes', 'select lo_create(0)', /read-only|permission denied/],
];

describe.each(bothDatabases)('a sql tool on %s', (_, use) => {
  const test = use();

  describe('cannot', () => {
    it.each(ATTACKS)('%s', async (_what, statement, why) => {
      await expect(run(test.database, statement)).rejects.toThrow(why);
      await expect(checkTool({ ...draft, config: config(statement) }, test.database)).rejects.toThrow(InvalidTool);
      expect(await test.database.query('select count(*)::int as tasks from demo_tasks')).toEqual([{ tasks: 5 }]);
    });

    it('keep a setting for the next one on the same connection', async () => {
      await run(
        test.database,
        `select set_config('statement_timeout', '123456', false), set_config('search_path', 'evil', false)`,
      );
      const { rows } = (await run(
        test.database,
        `select current_setting('statement_timeout') as t, current_setting('search_path') as p`,
      )) as { rows: { t: string; p: string }[] };
      expect(rows[0]?.t).not.toContain('123456');
      expect(rows[0]?.p).not.toContain('evil');
    });
  });

  it('takes what the model says as a value, never as SQL', async () => {
    const params = [{ from: 'args.x', type: 'text' }];
    const statement = 'select title from demo_tasks where title = $1';
    for (const x of [`' or '1'='1`, `'; drop table demo_tasks; --`, '$1', '\\', '%']) {
      expect(await run(test.database, statement, { args: { x }, params })).toEqual({ rows: [], more: false });
    }
  });

  it('casts each value by the type its row names, and fails for a value that does not fit', async () => {
    const params = [
      { from: 'args.x', type: 'integer' },
      { from: 'args.y', type: 'boolean' },
      { from: 'args.z', type: 'date' },
    ];
    const statement = 'select $1 + 1 as n, not $2 as b, $3 + 1 as d';
    expect(await run(test.database, statement, { args: { x: 41, y: true, z: '2026-12-31' }, params })).toEqual({
      rows: [{ n: 42, b: false, d: '2027-01-01' }],
      more: false,
    });
    await expect(run(test.database, statement, { args: { x: 'many' }, params })).rejects.toThrow(/invalid input/);
  });

  it('binds the user of the request, whatever the model names', async () => {
    const params = [{ from: 'ctx.userId', type: 'text' }];
    const statement = 'select distinct user_id from demo_tasks where user_id = $1';
    const args = { userId: 'robin', 'ctx.userId': 'robin', user_id: 'robin' };
    expect(await run(test.database, statement, { args, params })).toEqual({ rows: [{ user_id: 'demo' }], more: false });
  });

  it('answers rows in the order of its statement, maxRows at most, and says when there are more', async () => {
    const parsed = sqlKind.configSchema.parse({
      statement: 'select n from generate_series(1, 9) n order by n desc',
      maxRows: 3,
    });
    const context = { userId: 'demo', sessionId: 's' };
    const signal = new AbortController().signal;
    expect(await sqlKind.run({ config: parsed, args: {}, context, database: test.database, signal })).toEqual({
      rows: [{ n: 9 }, { n: 8 }, { n: 7 }],
      more: true,
    });
  });

  it('is refused when written with a mistake, in words for the admin', async () => {
    const problems = async (over: object): Promise<unknown> =>
      checkTool({ ...draft, config: config('select 1'), ...over }, test.database).then(
        () => [],
        (error: InvalidTool) => error.problems.join('; '),
      );
    expect(await problems({})).toEqual([]);
    expect(await problems({ config: config('select nothing from demo_tasks') })).toMatch(
      /column "nothing" does not exist/,
    );
    expect(await problems({ config: config('selec 1') })).toMatch(/syntax error/);
    expect(await problems({ config: config('select $1', []) })).toMatch(/\$1 is not in config.params/);
    expect(await problems({ config: config('select 1', [{ from: 'args.x', type: 'text' }]) })).toMatch(/not used/);
    expect(await problems({ config: config('select $1', [{ from: 'args.y', type: 'text' }]) })).toMatch(
      /no property "y"/,
    );
    expect(await problems({ config: config('select $1', [{ from: 'env.HOME', type: 'text' }]) })).toMatch(
      /config.params.0.from/,
    );
    expect(await problems({ config: config('select $$text$$') })).toMatch(/placeholders/);
    expect(await problems({ config: { ...config('select 1'), maxRows: 1_000_000 } })).toMatch(/config.maxRows/);
    expect(await problems({ config: { ...config('select 1'), role: 'postgres' } })).toMatch(/role/);
    expect(await problems({ configOverride: { statement: 'select 2' } })).toMatch(/config_override/);
    expect(await problems({ name: 'two words' })).toMatch(/name/);
    expect(await problems({ kind: 'shell' })).toMatch(/expected static or sql, got "shell"/);
    expect(await problems({ argsSchema: { type: 'array' } })).toMatch(/args_schema/);
    expect(await problems({ argsSchema: { type: 'object', properties: { x: { type: 'strin' } } } })).toMatch(
      /args_schema/,
    );
    expect(await problems({ argsSchema: { type: 'object', requires: ['x'] } })).toMatch(/unknown keyword/);
    expect(
      await problems({ argsSchema: { type: 'object', properties: { x: { type: 'string', pattern: '^(a+)+$' } } } }),
    ).toMatch(/for ever/);
  });
});

describe('a sql tool on PostgreSQL', () => {
  const test = useSeededPostgres();

  it('is cancelled at its time limit, also if it lifts the limit itself', async () => {
    for (const statement of [
      'select pg_sleep(20)',
      `select set_config('statement_timeout', '0', true), pg_sleep(20)`,
    ]) {
      const started = performance.now();
      await expect(run(test.database, statement, { timeoutMs: 200 })).rejects.toThrow(DatabaseUnavailable);
      expect(performance.now() - started).toBeLessThan(2000);
    }
  });

  it('stops when the caller leaves', async () => {
    const controller = new AbortController();
    const parsed = sqlKind.configSchema.parse({ statement: 'select pg_sleep(5)', timeoutMs: 9000 });
    const context = { userId: 'demo', sessionId: 's' };
    const running = sqlKind.run({
      config: parsed,
      args: {},
      context,
      database: test.database,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error('left')), 50);
    await expect(running).rejects.toThrow('left');
  });
});
