/** Several tables in memory that change together, and what is made of them. */
import {
  type CacheEventName,
  type CacheListener,
  type CacheStats,
  type CacheStatus,
  Events,
  type RefreshOptions,
  type RefreshReport,
} from 'evercache';
import { MirrorCore } from './mirror-core.ts';
import { fail, type MirrorOptions, type MirrorTables, type RowOf, resolveMirror } from './mirror-options.ts';
import { MirrorTable } from './mirror-table.ts';
import { MirrorView } from './mirror-view.ts';
import { resolveView, type ViewOptions, type ViewOptionsWithSchema } from './view-options.ts';

/** See `postgresMirror`. */
export class PostgresMirror<Tables extends MirrorTables> implements AsyncDisposable {
  readonly name: string;
  /** The rows of each table, by key: read like a cache. */
  readonly tables: { readonly [Name in keyof Tables]: MirrorTable<RowOf<Tables[Name]>> };
  readonly #core: MirrorCore;
  readonly #events: Events;
  readonly #views = new Set<string>();

  /** @internal */
  constructor({ client, tables, followBy, push, fullLoads, policy, ...options }: MirrorOptions<Tables>) {
    const own = {
      ...(followBy && { followBy }),
      ...(push && { push }),
      ...(fullLoads && { fullLoads }),
      ...(policy && { policy }),
    };
    const resolved = resolveMirror({ client, tables, ...own });
    for (const name of ['source', 'schema', 'freeze'] as const) {
      // The cache underneath would take them.
      if (name in options) throw new TypeError(`postgresMirror: unknown option "${name}"; a table has its own`);
    }
    this.#core = new MirrorCore(resolved, options);
    this.name = this.#core.cache.name;
    this.#events = new Events(this.name);
    this.#relay();
    const faces = resolved.tables.map((table) => [table.name, new MirrorTable(this.#core, table)]);
    this.tables = Object.freeze(Object.fromEntries(faces));
  }

  /**
   * A view: a value for each row of one table, made of that row and of others. Read like a cache.
   * @throws TypeError for wrong options, and where the name is taken.
   */
  view<Name extends keyof Tables & string, V>(options: ViewOptionsWithSchema<Tables, Name, V>): MirrorView<V>;
  view<Name extends keyof Tables & string, V>(options: ViewOptions<Tables, Name, V>): MirrorView<V>;
  view<V>(options: object): MirrorView<V> {
    const view = resolveView(options, this.#core.all);
    if (this.#views.has(view.name)) fail('name', 'a name of its own', view.name, 'view');
    this.#views.add(view.name);
    return new MirrorView<V>(this.#core, view);
  }

  /** Loads all tables and keeps them true from now on: see `TTLCacheService.start`. Views that are built ahead are built. */
  start(): Promise<void> {
    return this.#core.start();
  }

  /** Ends it for all tables and views. `start()` works again. */
  stop(): Promise<void> {
    return this.#core.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Checks all tables against the database now. The report counts rows; its keys are `table:key`. */
  async refresh(options: RefreshOptions = {}): Promise<RefreshReport> {
    const report = await this.#core.refresh(options);
    await this.#core.settled();
    return report;
  }

  /** Forgets everything. */
  invalidateAll(): Promise<void> {
    return this.#core.invalidateAll();
  }

  /** Makes true what is held: see `TTLCacheService.accept`. */
  accept(): boolean {
    return this.#core.cache.accept();
  }

  /** The database is wrong: see `TTLCacheService.reject`. */
  reject(): boolean {
    return this.#core.cache.reject();
  }

  /** Calls `listener` at each event of this name; keys are `table:key`. Returns a function that ends it. */
  on<Event extends CacheEventName>(name: Event, listener: CacheListener<Event>): () => void {
    return this.#events.on(name, listener);
  }

  stats(): CacheStats {
    return { ...this.#core.cache.stats(), entries: this.status().size };
  }

  reports(): readonly RefreshReport[] {
    return this.#core.reports();
  }

  /** How the mirror is doing; `source` says which tier runs and what it cannot see. */
  status(): CacheStatus {
    return this.#core.status();
  }

  #relay(): void {
    const { cache, faces } = this.#core;
    const relay = (name: Exclude<CacheEventName, 'refresh' | 'change'>): void => {
      cache.on(name, (event) => this.#events.emit(name, event));
    };
    this.#core.onRefresh((report) => this.#events.emit('refresh', report));
    relay('error');
    relay('held');
    relay('quarantine');
    relay('state');
    faces.add({
      note: () => {},
      readAgain: () => {},
      tell: ({ generation, added, updated, removed }) => {
        if (added.length + updated.length + removed.length === 0) return;
        this.#events.emit('change', { generation, added, updated, removed });
      },
      forget: () => {},
      settled: async () => {},
    });
  }
}

/**
 * Holds several tables that change together: every generation is all of them as of one moment. A view joins their rows
 * in memory, so that a row used ten thousand times is read once when it changes.
 *
 * ```ts
 * const mirror = postgresMirror({
 *   name: 'agents',
 *   client: pool,
 *   tables: {
 *     agents: { table: 'public.agents' },
 *     agentTools: { table: 'public.agent_tools', indexes: ['agent_id'] },
 *     tools: { table: 'public.tools' },
 *   },
 * });
 * const toolsOfAgent = mirror.view({
 *   name: 'tools',
 *   keys: 'agents',
 *   build: (agent, read) => read.agentTools.by('agent_id', agent.id).map((link) => read.tools.get(link.tool_id)),
 * });
 * await mirror.start();
 * toolsOfAgent.get('7');
 * ```
 *
 * @throws TypeError for wrong options: option, expected, got.
 */
export function postgresMirror<const Tables extends MirrorTables>(
  options: MirrorOptions<Tables>,
): PostgresMirror<Tables> {
  return new PostgresMirror(options);
}
