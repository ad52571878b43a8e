import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../src/config.ts';

const WRONG = {
  HOST: 'no host',
  PORT: '80801',
  DATABASE_URL: 'mysql://root:hunter2@db/x',
  TOOL_DATABASE_URL: 'hunter2',
  SEED_DEMO: 'no',
  ADMIN_API_KEY: 'too-short',
  OPENAI_BASE_URL: 'example.com/v1?token=hunter2',
  OPENAI_API_KEY: 'hunter2 hunter2',
  CHAT_SECRET_ACME: 'hunter2\nhunter2',
  LOG_LEVEL: 'loud',
  SHUTDOWN_GRACE_SECONDS: '-1',
};

describe('readConfig', () => {
  test('listens on port 8080 of this machine only, with the embedded database, unless told otherwise', () => {
    expect(readConfig({})).toEqual({
      host: '127.0.0.1',
      port: 8080,
      databaseUrl: undefined,
      toolDatabaseUrl: undefined,
      dataDir: './data',
      snapshotDir: undefined,
      seedDemo: true,
      adminApiKey: undefined,
      openaiBaseUrl: undefined,
      openaiApiKey: undefined,
      openaiModel: undefined,
      secrets: {},
      logLevel: 'info',
      shutdownGraceSeconds: 10,
    });
  });

  test('takes every variable from the environment', () => {
    const config = readConfig({
      HOST: '0.0.0.0',
      PORT: '0',
      DATABASE_URL: 'postgres://user:password@db/chat',
      TOOL_DATABASE_URL: 'postgresql://reader@db/chat',
      DATA_DIR: '/var/lib/chat',
      SNAPSHOT_DIR: '/var/lib/chat-snapshots',
      SEED_DEMO: 'false',
      ADMIN_API_KEY: 'a-key-of-enough-length',
      OPENAI_BASE_URL: 'http://localhost:11434/v1',
      OPENAI_API_KEY: 'sk-1',
      OPENAI_MODEL: 'llama3',
      CHAT_SECRET_ACME: 'sk-2',
      LOG_LEVEL: 'warn',
      SHUTDOWN_GRACE_SECONDS: '0',
    });
    expect(config).toEqual({
      host: '0.0.0.0',
      port: 0,
      databaseUrl: 'postgres://user:password@db/chat',
      toolDatabaseUrl: 'postgresql://reader@db/chat',
      dataDir: '/var/lib/chat',
      snapshotDir: '/var/lib/chat-snapshots',
      seedDemo: false,
      adminApiKey: 'a-key-of-enough-length',
      openaiBaseUrl: 'http://localhost:11434/v1',
      openaiApiKey: 'sk-1',
      openaiModel: 'llama3',
      secrets: { ACME: 'sk-2' },
      logLevel: 'warn',
      shutdownGraceSeconds: 0,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test('takes an empty variable for one that is not set', () => {
    const config = readConfig({ PORT: '', DATABASE_URL: '', CHAT_SECRET_ACME: '' });
    expect(config).toMatchObject({ port: 8080, databaseUrl: undefined });
    expect(config.secrets).toEqual({});
  });

  test('refuses a database for tools without one for the rest', () => {
    expect(() => readConfig({ TOOL_DATABASE_URL: 'postgres://reader@db/chat' })).toThrow(
      /^TOOL_DATABASE_URL: expected DATABASE_URL to be set as well, got none$/,
    );
  });

  test('reports every problem at once, one line for each variable, without any secret', () => {
    let error: unknown;
    try {
      readConfig(WRONG);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    const { problems, message } = error as ConfigError;
    expect(problems.map((line) => line.split(':')[0])).toEqual(Object.keys(WRONG));
    for (const line of problems) expect(line).toMatch(/^[A-Z_]+: expected .+, got .+$/);
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('too-short');
    expect(problems).toContain('PORT: expected a whole number from 0 to 65535, got "80801"');
  });
});

test('a wrong environment ends the process with code 1 and one line for each variable', () => {
  const server = fileURLToPath(new URL('../src/server.ts', import.meta.url));
  const { status, stderr, stdout } = spawnSync(process.execPath, ['--conditions=@evercache/source', server], {
    env: { PATH: process.env.PATH, ...WRONG },
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stdout).toBe('');
  expect(
    stderr
      .trim()
      .split('\n')
      .map((line) => line.split(':')[0]),
  ).toEqual(Object.keys(WRONG));
});
