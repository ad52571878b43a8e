/** The process: reads the environment, starts the server, says where it is, and stops it when told to. */
import closeWithGrace from 'close-with-grace';
import { type Config, ConfigError, readConfig } from './config.ts';
import { createServerLog, written } from './server-log.ts';
import { type RunningServer, startServer } from './start-server.ts';

/** Beyond the grace for answers: time to close connections, caches and database. */
const CLOSE_MS = 5000;

// The log has standard output to itself; what people should read, keys among it, goes to standard error.
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function readConfigOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    say(error.message);
    process.exit(1);
  }
}

async function startOrExit(config: Config): Promise<RunningServer> {
  try {
    return await startServer(config, log);
  } catch (error) {
    log.fatal({ err: error }, 'the server could not start');
    say(`The server could not start: ${error instanceof Error ? error.message : String(error)}`);
    await written(log);
    process.exit(1);
  }
}

const config = readConfigOrExit();
const log = createServerLog(config.logLevel);
const server = await startOrExit(config);

closeWithGrace({ delay: config.shutdownGraceSeconds * 1000 + CLOSE_MS, logger: false }, async ({ signal, err }) => {
  if (err !== undefined) log.fatal({ err }, 'the server ends because of an error that nobody handled');
  else log.info({ signal }, 'stopping');
  try {
    await server.stop();
  } finally {
    // What has not been written when a process exits is lost.
    await written(log);
  }
});

// Else the AI SDK writes its warnings wherever it likes.
globalThis.AI_SDK_LOG_WARNINGS = ({ warnings, model }) =>
  log.warn({ model, warnings }, 'the model does not do all it was asked for');

say(`chat-server listens on ${server.address}`);
if (server.madeAdminKey !== undefined) {
  say(`Admin key, made for this run (set ADMIN_API_KEY to choose one): ${server.madeAdminKey}`);
}
if (config.openaiBaseUrl === undefined) {
  say('Agents are answered by the built-in offline model (set OPENAI_BASE_URL to choose another).');
}
const report = await server.prepared;
if (report !== undefined) say('Ready.');
if (report?.demoApiKey !== undefined) {
  say(`Key of the user "demo", shown this once: ${report.demoApiKey}`);
  say(`Try it, with that key in $KEY:

  curl -s ${server.address}/v1/chat/completions -H "Authorization: Bearer $KEY" -H 'content-type: application/json' \\
    -d '{"model": "email_digest_agent", "messages": [{"role": "user", "content": "call list_emails {}"}]}'
`);
}
