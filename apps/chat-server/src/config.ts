/**
 * The environment, read once. Owns the names, defaults and meaning of every variable; nothing else reads
 * `process.env`. All problems are reported at once, one line per variable, and never with the value of a secret.
 */

/** Levels of `LOG_LEVEL`, most to least talkative. */
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** What the server was told by its environment. */
export interface Config {
  /** `HOST`: the address to listen on. Default `127.0.0.1`: this machine only. */
  readonly host: string;
  /** `PORT`: default 8080; 0 takes any free port. */
  readonly port: number;
  /** `DATABASE_URL`: a PostgreSQL server. Without it the embedded database in `dataDir` is used. */
  readonly databaseUrl: string | undefined;
  /** `TOOL_DATABASE_URL`: where `sql` tools log in: a weaker user, or a replica. Default: `DATABASE_URL`. */
  readonly toolDatabaseUrl: string | undefined;
  /** `DATA_DIR`: the folder of the embedded database. Default `./data`. */
  readonly dataDir: string;
  /** `SNAPSHOT_DIR`: the folder in which caches are kept between two starts. Without it they are not. */
  readonly snapshotDir: string | undefined;
  /** `SEED_DEMO`: write demo agents, their data and a key into a database that has not had them. Default `true`. */
  readonly seedDemo: boolean;
  /** `ADMIN_API_KEY`: the administrator's key. Without it one is made and printed at every start. */
  readonly adminApiKey: string | undefined;
  /** `OPENAI_BASE_URL`: an OpenAI-compatible endpoint. Without it the built-in offline model answers. */
  readonly openaiBaseUrl: string | undefined;
  /** `OPENAI_API_KEY`: the key of that endpoint. */
  readonly openaiApiKey: string | undefined;
  /** `OPENAI_MODEL`: the model for agents that name none. */
  readonly openaiModel: string | undefined;
  /** `CHAT_SECRET_<NAME>`: what agents' rows may refer to as `{ "$secret": "<NAME>" }`. By name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** `LOG_LEVEL`: default `info`. */
  readonly logLevel: LogLevel;
  /** `SHUTDOWN_GRACE_SECONDS`: how long answers under way may take to finish when the server stops. Default 10. */
  readonly shutdownGraceSeconds: number;
}

/** Every problem of an environment; `problems` holds one line per variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

interface Variable<T> {
  readonly expected: string;
  /** The value is never shown: it is a secret, or may hold one. */
  readonly secret?: boolean;
  /** The parsed value, or `undefined` if the text is not what was expected. */
  parse(text: string): T | undefined;
}

/**
 * Reads the configuration. An empty variable counts as one that is not set.
 *
 * @throws ConfigError with one line for every variable that is wrong.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];

  function read<T, D>(name: string, variable: Variable<T>, absent: D): T | D {
    const text = environment[name];
    if (text === undefined || text === '') return absent;
    const value = variable.parse(text);
    if (value !== undefined) return value;
    const came = variable.secret ? `something else (${text.length} characters, not shown)` : JSON.stringify(text);
    problems.push(`${name}: expected ${variable.expected}, got ${came}`);
    return absent;
  }

  const config: Config = {
    host: read('HOST', HOST, '127.0.0.1'),
    port: read('PORT', wholeNumber(0, 65_535), 8080),
    databaseUrl: read('DATABASE_URL', POSTGRES_URL, undefined),
    toolDatabaseUrl: read('TOOL_DATABASE_URL', POSTGRES_URL, undefined),
    dataDir: read('DATA_DIR', DIRECTORY, './data'),
    snapshotDir: read('SNAPSHOT_DIR', DIRECTORY, undefined),
    seedDemo: read('SEED_DEMO', BOOLEAN, true),
    adminApiKey: read('ADMIN_API_KEY', ADMIN_KEY, undefined),
    openaiBaseUrl: read('OPENAI_BASE_URL', HTTP_URL, undefined),
    openaiApiKey: read('OPENAI_API_KEY', TOKEN, undefined),
    openaiModel: read('OPENAI_MODEL', MODEL, undefined),
    secrets: Object.freeze(
      Object.fromEntries(secretNames(environment).map((name) => [name, read(`CHAT_SECRET_${name}`, TOKEN, '')])),
    ),
    logLevel: read('LOG_LEVEL', LEVEL, 'info'),
    shutdownGraceSeconds: read('SHUTDOWN_GRACE_SECONDS', wholeNumber(0, 3600), 10),
  };
  if (environment.TOOL_DATABASE_URL && !environment.DATABASE_URL) {
    problems.push('TOOL_DATABASE_URL: expected DATABASE_URL to be set as well, got none');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

function secretNames(environment: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(environment).flatMap((name) => (environment[name] && /^CHAT_SECRET_(.+)$/.exec(name)?.[1]) || []);
}

const HOST: Variable<string> = {
  expected: 'an address or host name to listen on',
  parse: (text) => (/^[\w.:%-]+$/.test(text) ? text : undefined),
};

const POSTGRES_URL: Variable<string> = url('postgres:', 'postgresql:');
const HTTP_URL: Variable<string> = url('http:', 'https:');

const DIRECTORY: Variable<string> = {
  expected: 'the path of a folder',
  parse: (text) => (text.includes('\0') ? undefined : text),
};

const BOOLEAN: Variable<boolean> = {
  expected: 'true or false',
  parse: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
};

const ADMIN_KEY: Variable<string> = {
  expected: '16 or more visible ASCII characters without a space',
  secret: true,
  parse: (text) => (/^[\x21-\x7e]{16,}$/.test(text) ? text : undefined),
};

const TOKEN: Variable<string> = {
  expected: 'visible ASCII characters without a space',
  secret: true,
  parse: (text) => (/^[\x21-\x7e]+$/.test(text) ? text : undefined),
};

const MODEL: Variable<string> = {
  expected: 'the name of a model',
  parse: (text) => (/^[\x21-\x7e]+$/.test(text) ? text : undefined),
};

const LEVEL: Variable<LogLevel> = {
  expected: `one of ${LOG_LEVELS.join(', ')}`,
  parse: (text) => LOG_LEVELS.find((level) => level === text),
};

function wholeNumber(smallest: number, largest: number): Variable<number> {
  return {
    expected: `a whole number from ${smallest} to ${largest}`,
    parse: (text) => {
      const value = Number(text);
      return /^\d{1,6}$/.test(text) && value >= smallest && value <= largest ? value : undefined;
    },
  };
}

/** URLs count as secrets: they may hold a password or a token. */
function url(...protocols: readonly string[]): Variable<string> {
  return {
    expected: `a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    secret: true,
    parse: (text) => {
      const protocol = URL.canParse(text) ? new URL(text).protocol : '';
      return protocols.includes(protocol) && text.startsWith(`${protocol}//`) ? text : undefined;
    },
  };
}
