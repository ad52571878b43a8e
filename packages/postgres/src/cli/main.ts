#!/usr/bin/env node
/** The program `evercache-postgres`. */
import { run } from './run.ts';

process.exitCode = await run(process.argv.slice(2), process.env, {
  print: (text) => process.stdout.write(text),
  say: (line) => process.stderr.write(`evercache-postgres: ${line}\n`),
});
