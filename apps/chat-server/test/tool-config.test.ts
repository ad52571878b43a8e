import { describe, expect, it } from 'vitest';
import { llmConfigSchema } from '../src/agents/llm-config.ts';
import { mergePatch } from '../src/agents/merge-patch.ts';
import { type ToolRow, toolsOfAgentSchema } from '../src/agents/tool-config.ts';
import { staticKind } from '../src/agents/tool-kinds/static.ts';
import type { Database } from '../src/database.ts';

const row: ToolRow = {
  id: 't1',
  name: 'get_hours',
  kind: 'static',
  description: '',
  config: { value: { from: '09:00', until: '17:00' } },
  configOverride: {},
  argsSchema: { type: 'object', properties: {} },
};

function problemsOf(...rows: Partial<ToolRow>[]): string {
  const { error } = toolsOfAgentSchema.safeParse(rows.map((over) => ({ ...row, ...over })));
  return error?.issues.map(({ message }) => message).join('; ') ?? '';
}

describe('a row of a tool', () => {
  it('is taken with the override merged into its config', () => {
    const [tool] = toolsOfAgentSchema.parse([{ ...row, configOverride: { value: { until: '18:00', note: 'x' } } }]);
    expect(tool?.config).toEqual({ value: { from: '09:00', until: '18:00', note: 'x' } });
    expect(tool).not.toHaveProperty('configOverride');
  });

  it.each<[string, Partial<ToolRow>, RegExp]>([
    ['of a kind that is not there', { kind: 'shell' }, /tool "get_hours": kind: expected static or sql, got "shell"/],
    ['of a kind named like something every object has', { kind: 'constructor' }, /kind: expected/],
    ['with a config its kind does not know', { config: { value: 1, userId: 'robin' } }, /config: .*userId/],
    ['with a config that lacks something', { config: {} }, /config.value/],
    [
      'with an override of what must not be changed',
      { configOverride: { pick: 'x' } },
      /config_override: expected only value, got "pick"/,
    ],
    ['with an override that breaks the config', { configOverride: { value: null } }, /config.value/],
    ['with arguments that are no object', { argsSchema: { type: 'string' } }, /args_schema: expected the root/],
    ['with an args_schema that is no JSON Schema', { argsSchema: { type: 'object', required: 'x' } }, /args_schema/],
    [
      'with an args_schema as long as a book',
      { argsSchema: { type: 'object', description: 'x'.repeat(40_000) } },
      /at most 32768/,
    ],
    ['with a name no model would take', { name: 'get hours' }, /./],
  ])('is refused %s', (_, over, why) => {
    expect(problemsOf(over)).toMatch(why);
  });

  it('is refused beside another of the same name', () => {
    expect(problemsOf({ id: 'a' }, { id: 'b' })).toMatch(/"get_hours".*unique/);
  });

  it('cannot be changed by a reader', () => {
    const tool = toolsOfAgentSchema.parse([row])[0] as { config: { value: { from: string } } };
    expect(() => {
      tool.config.value.from = '00:00';
    }).toThrow(TypeError);
  });

  it('that did not change is the same object, whoever asks', () => {
    const [first] = toolsOfAgentSchema.parse([row]);
    const [second] = toolsOfAgentSchema.parse([structuredClone(row)]);
    expect(second).toBe(first);
  });
});

describe('a static tool', () => {
  const run = (config: { value: unknown; pick?: string }, args: Record<string, unknown> = {}) =>
    staticKind.run({
      config,
      args,
      context: { userId: 'u', sessionId: 's' },
      database: {} as Database,
      signal: new AbortController().signal,
    });

  it('answers its value', async () => {
    expect(await run({ value: [1, 2] })).toEqual([1, 2]);
  });

  it('answers the member that an argument picks, and names the choices where there is none', async () => {
    const config = { value: { home: 1, away: 2 }, pick: 'place' };
    expect(await run(config, { place: 'away' })).toBe(2);
    for (const place of ['moon', 'constructor', '__proto__']) {
      expect(await run(config, { place })).toEqual({ error: 'no such place', known: ['home', 'away'] });
    }
  });

  it('is refused if it picks from what is no object, or by an argument that is not there', () => {
    expect(problemsOf({ config: { value: 1, pick: 'x' } })).toMatch(
      /config.value: expected an object.*no property "x"/,
    );
  });
});

describe('mergePatch', () => {
  it('does what RFC 7396 says', () => {
    // The test cases of its appendix A.
    const cases: [unknown, unknown, unknown][] = [
      [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
      [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
      [{ a: 'b' }, { a: null }, {}],
      [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
      [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
      [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
      [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
      [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
      [
        ['a', 'b'],
        ['c', 'd'],
        ['c', 'd'],
      ],
      [{ a: 'b' }, ['c'], ['c']],
      [{ a: 'foo' }, null, null],
      [{ a: 'foo' }, 'bar', 'bar'],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [[1, 2], { a: 'b', c: null }, { a: 'b' }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    ];
    for (const [target, patch, result] of cases) expect(mergePatch(target, patch)).toEqual(result);
  });

  it('pollutes nothing with __proto__', () => {
    const patched = mergePatch({}, JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.keys(patched as object)).toEqual(['__proto__']);
  });
});

describe('llm_config', () => {
  it('is taken with what it leaves out filled in', () => {
    expect(llmConfigSchema.parse({})).toEqual({ max_steps: 10 });
  });

  it.each<[string, object]>([
    ['an unknown provider, instead of taking another one', { provider: 'claud' }],
    ['an unknown setting', { max_token: 10 }],
    ['a temperature out of range', { temperature: 3 }],
    ['a number of tokens that is none', { max_tokens: '100' }],
    ['a key in the row itself', { provider: 'openai-compatible', base_url: 'https://a.example', api_key: 'sk-secret' }],
    ['an endpoint that is no web address', { provider: 'openai-compatible', base_url: 'file:///etc/passwd' }],
    ['an endpoint for the offline model', { provider: 'offline', base_url: 'https://a.example' }],
    ['a key without the endpoint it is for', { provider: 'openai-compatible', api_key: { $secret: 'NAME' } }],
  ])('is refused with %s', (_, config) => {
    expect(llmConfigSchema.safeParse(config).success).toBe(false);
  });
});
