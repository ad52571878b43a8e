/** Caches over a file in a directory of its own, with time in the hand of the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { DiskSource } from '../../src/disk-source.ts';
import { TTLCacheService } from '../../src/index.ts';
import type { TTLCacheOptions } from '../../src/options.ts';
import { ScriptedSource, type SourceMethod } from '../../testing/index.ts';
import { SteadyClock } from './set-up.ts';

export const FOLLOWING: readonly SourceMethod[] = ['fetchAll', 'fetchMany', 'fetchChanges'];

/** A directory that goes with the test. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'evercache-disk-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The machine: its clocks go on while processes come and go. */
export class Machine {
  readonly clock: SteadyClock = new SteadyClock();
  boot: string | undefined = 'first';
  #bootedAt = 0;

  moment = (): { wallMs: number; uptimeMs: number; boot: string | undefined } => ({
    wallMs: this.clock.wall(),
    uptimeMs: this.clock.now() - this.#bootedAt,
    boot: this.boot,
  });

  restart(): void {
    this.boot = `${this.boot} again`;
    this.#bootedAt = this.clock.now();
  }
}

export interface DiskSettings<T> extends Partial<Omit<TTLCacheOptions<T>, 'source' | 'clock'>> {
  readonly machine?: Machine;
  readonly path?: string;
  readonly version?: string;
  readonly methods?: readonly SourceMethod[];
  readonly rows?: Iterable<readonly [string, T]>;
  /** By default a new one. */
  readonly inner?: ScriptedSource<T>;
}

export interface DiskSetUp<T> {
  readonly machine: Machine;
  readonly path: string;
  readonly inner: ScriptedSource<T>;
  readonly source: DiskSource<T>;
  readonly cache: TTLCacheService<T>;
  /** The part of the status that is about the file. */
  disk(): Record<string, unknown>;
  /** Another process on the same machine, over the same truth and the same file. */
  next(settings?: DiskSettings<T>): Promise<DiskSetUp<T>>;
}

export async function setUpDisk<T = string>({
  machine = new Machine(),
  path,
  version,
  methods = FOLLOWING,
  rows,
  inner = new ScriptedSource<T>({ clock: machine.clock, methods, ...(rows && { rows }) }),
  ...options
}: DiskSettings<T> = {}): Promise<DiskSetUp<T>> {
  const file = path ?? join(await temporaryDirectory(), 'rows.snapshot');
  const source = new DiskSource<T>(inner, { path: file, ...(version && { version }) }, machine.moment);
  const cacheOptions = { name: 'test', source, clock: machine.clock, guard: { acceptAfter: 1 }, ...options };
  const cache = new TTLCacheService<T>(cacheOptions as TTLCacheOptions<T>);
  onTestFinished(() => cache.stop());
  return {
    machine,
    path: file,
    inner,
    source,
    cache,
    disk: () => cache.status().source?.disk as Record<string, unknown>,
    next: async (settings = {}) => {
      await cache.stop();
      return setUpDisk<T>({
        machine,
        path: file,
        inner,
        ...(version && { version }),
        ...options,
        ...settings,
      } as DiskSettings<T>);
    },
  };
}
