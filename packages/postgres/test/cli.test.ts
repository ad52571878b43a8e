/** The program `evercache-postgres`, from its sources and as it is published. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../src/cli/run.ts';
import { usePrunableChangeLog } from './use-change-log.ts';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const ROOT = join(PACKAGE, '../..');

interface Answer {
  readonly code: number;
  readonly printed: string;
  readonly said: string;
}

const database = usePrunableChangeLog(
  'create table tools (id int primary key); create table "Odd, One" (id int primary key, "A" int)',
);

/** As the program does it, in this process. */
async function call(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Answer> {
  let printed = '';
  let said = '';
  const code = await run(args, env, {
    print: (text) => {
      printed += text;
    },
    say: (line) => {
      said += `${line}\n`;
    },
  });
  return { code, printed, said };
}

const cli = (...args: string[]): Promise<Answer> => call(args, { DATABASE_URL: database.url });

function start(program: string, ...args: string[]): Promise<Answer> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const options = { env: { ...env, DATABASE_URL: database.url } };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], options, (error, printed, said) => {
      resolve({ code: error === null ? 0 : Number(error.code), printed, said });
    });
  });
}

test('shows the SQL and does nothing, then does it, tells how it is, prunes and removes', async () => {
  const tables = ['--tables', 'tools, "Odd, One"("A")'];
  const shown = await cli('install', ...tables);
  expect(shown).toMatchObject({ code: 0, said: expect.stringContaining('nothing was done') });
  expect(shown.printed).toMatch(/^begin transaction .*create schema evercache.*follow\('tools'\).*\ncommit;\n$/s);
  expect(await cli('status')).toEqual({
    code: 1,
    printed: '',
    said: 'no change log is installed in this database\n',
  });

  expect(await cli('install', ...tables, '--apply')).toMatchObject({ code: 0, printed: '', said: /done/ });
  await database.run(`insert into tools values (1); update evercache.change_log set at = '2024-02-29 12:00Z'`);
  const status = await cli('status');
  expect(status.printed).toMatch(
    /^change log version 1, floor \d+\n3 rows, \d+ kB, the oldest of 2024-02-29T12:00:00Z\nfollows public."Odd, One" by id and logs A\nfollows public.tools by id\n$/,
  );
  expect(status.code).toBe(0);
  expect((await cli('prune', '--keep', '1h')).said).toBe('removed 3 rows\n');

  await database.run('alter table tools disable trigger evercache_insert');
  const broken = await cli('status');
  expect([broken.code, broken.printed.split('\n').at(-2)]).toEqual([
    1,
    'problem: public.tools has trigger evercache_insert disabled',
  ]);

  expect((await cli('uninstall', '--tables', 'tools')).printed).toContain(`evercache.unfollow('tools')`);
  expect((await cli('uninstall', '--tables', 'tools', '--apply')).code).toBe(0);
  expect((await cli('status')).printed).not.toContain('public.tools');
  expect((await cli('uninstall')).printed).toContain('drop schema');
  expect((await cli('status')).code).toBe(0);
  expect((await cli('uninstall', '--apply')).code).toBe(0);
  expect((await cli('status')).code).toBe(1);
});

test('what is shown may be run as it is, also for names that need care', async () => {
  await database.run(String.raw`create schema "it's \ odd"; create table "it's \ odd"."t""," (id int primary key)`);
  const { printed } = await cli('install', '--tables', String.raw`"it's \ odd"."t"","`);
  await database.run(printed);
  expect(await database.logged(String.raw`insert into "it's \ odd"."t""," values (1)`)).toEqual([
    String.raw`U "it's \ odd"."t""," 1`,
  ]);
  await database.run('drop schema evercache cascade');
});

test.each([
  [['frobnicate'], 'unknown command "frobnicate", expected one of install, uninstall, status, prune'],
  [['install'], 'install: expected --tables <list>'],
  [
    ['install', '--tables', 'a b'],
    '--tables: expected a list like public.tools,public.agent_tools(agent_id), got "a b"',
  ],
  [['install', '--tables', 'a', '--reader', ''], '--reader: expected the name of a role, got an empty text'],
  [['status', '--apply'], 'status has no option --apply'],
  [['prune', '--keep', '5 parsecs'], '--keep: expected a duration like 24h, got "5 parsecs"'],
  [['status', 'now'], 'expected nothing after status, got "now"'],
  [['--tables', 'a'], 'expected a command, one of install, uninstall, status, prune'],
  [['--colour'], "Unknown option '--colour'"],
  [['status'], 'expected --url or the environment variable DATABASE_URL'],
  [['status', '--url', 'postgres://localhost:1/x'], /^connect ECONNREFUSED .*:1$/],
  [['status', '--url', 'postgres://me:secret@localhost:x/y'], 'Invalid URL'],
])('says in one line what is wrong with %j', async (args, message) => {
  const { code, printed, said } = await call(args);
  expect([code, printed]).toEqual([1, '']);
  expect(said).toMatch(/^[^\n]+\n$/);
  if (typeof message === 'string') expect(said).toBe(`${message}\n`);
  else expect(said.trim()).toMatch(message);
});

test('says what the database says, in one line, and has done nothing', async () => {
  const { code, said } = await cli('install', '--tables', 'tools,nowhere', '--apply');
  expect([code, said]).toEqual([1, 'relation "nowhere" does not exist\n']);
  expect((await cli('status')).said).toContain('no change log is installed');
});

test('runs from its sources', async () => {
  expect(await start(join(PACKAGE, 'src/cli/main.ts'), 'status')).toMatchObject({ code: 1, printed: '' });
});

test('helps', async () => {
  const help = await call(['--help']);
  expect(help).toMatchObject({ code: 0, said: '' });
  for (const word of ['install', 'uninstall', 'status', 'prune', '--reader', '--apply', 'DATABASE_URL']) {
    expect(help.printed).toContain(word);
  }
  expect(await call([])).toEqual(help);
});

test('works as it is published, and without pg says what is missing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'evercache-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // Other files build the real dist/ meanwhile.
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  spawnSync(process.execPath, [tsc, '-p', join(PACKAGE, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]);
  cpSync(join(PACKAGE, 'sql'), join(folder, 'sql'), { recursive: true });
  cpSync(join(PACKAGE, 'package.json'), join(folder, 'package.json'));
  const { default: manifest } = (await import(join(folder, 'package.json'), { with: { type: 'json' } })) as {
    default: { bin: { 'evercache-postgres': string }; files: string[] };
  };
  expect(manifest.files).toEqual(['dist', 'sql']);
  const program = join(folder, manifest.bin['evercache-postgres']);
  expect((await start(program, 'install', '--tables', 'tools')).printed).toContain(`evercache.follow('tools')`);
  expect(await start(program, 'status')).toEqual({
    code: 1,
    printed: '',
    said: 'evercache-postgres: the package pg is needed to reach a database: npm install pg\n',
  });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  expect((await start(program, 'status')).said).toContain('no change log is installed');
});
