/**
 * Loads the module given as argument and prints every import that was resolved on the way, one `importer → imported`
 * a line. Resolution is recorded as Node does it, since scanning sources can miss what it does not understand.
 */
import { registerHooks } from 'node:module';

const arrows = [];
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (context.parentURL !== undefined) arrows.push([context.parentURL, resolved.url]);
    return resolved;
  },
});
await import(process.argv[2]);
process.stdout.write(JSON.stringify(arrows));
