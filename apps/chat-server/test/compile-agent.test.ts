import { setTimeout as sleep } from 'node:timers/promises';
import { generateText } from 'ai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compileAgent } from '../src/agents/compile-agent.ts';
import type { AgentConfiguration } from '../src/agents/rows.ts';
import type { ToolConfig } from '../src/agents/tool-config.ts';
import { ToolError } from '../src/agents/tool-error.ts';
import { sqlKind } from '../src/agents/tool-kinds/sql.ts';
import { staticKind } from '../src/agents/tool-kinds/static.ts';
import type { Database } from '../src/database.ts';
import { DatabaseUnavailable } from '../src/database-unavailable.ts';
import { silentLog } from '../src/log.ts';
import { RecordingModel } from './support/recording-model.ts';

const configuration: AgentConfiguration = {
  id: 'a1',
  agentName: 'tester',
  description: '',
  instructions: 'You test.',
  llmConfig: { temperature: 0.25, max_tokens: 777, max_steps: 3 },
  isPublic: true,
  allowedUsers: [],
};

const properties = { n: { type: 'integer', maximum: 10 }, unit: { type: 'string', default: 'm' } };
const tool: ToolConfig = {
  id: 't1',
  name: 'echo',
  kind: 'static',
  description: 'Echoes.',
  config: { value: 'echo' },
  argsSchema: { type: 'object', properties, additionalProperties: false },
};

function compile(tools: readonly ToolConfig[], over: Partial<AgentConfiguration['llmConfig']> = {}, log = silentLog) {
  const model = new RecordingModel();
  const llmConfig = { ...configuration.llmConfig, ...over };
  const services = { database: {} as Database, log, createModel: () => model };
  const agent = compileAgent({ ...configuration, llmConfig }, tools, services);
  const ask = async (
    prompt: string,
    { userId = 'anna', appendix = [] as string[], abortSignal = new AbortController().signal } = {},
  ) => (await agent.generate({ prompt, abortSignal, options: { userId, sessionId: 's', appendix } })).text;
  return { agent, model, ask };
}

describe('a compiled agent', () => {
  afterEach(() => vi.restoreAllMocks());

  it('shows the model its instructions, tools in order with their schemas as in the row, and its settings', async () => {
    const { model, ask } = compile([
      { ...tool, name: 'zeta' },
      { ...tool, name: 'alpha' },
      { ...tool, name: '42' },
    ]);
    await ask('hello');
    const [call] = model.calls;
    expect(call?.prompt[0]).toMatchObject({ role: 'system', content: 'You test.' });
    expect(call?.tools?.map(({ name }) => name)).toEqual(['zeta', 'alpha', '42']);
    expect(call?.tools?.[0]).toMatchObject({ type: 'function', description: 'Echoes.' });
    expect(call?.tools?.[0]).toHaveProperty('inputSchema', tool.argsSchema);
    expect(call).toMatchObject({ temperature: 0.25, maxOutputTokens: 777 });
  });

  it('asks the model no more often than max_steps', async () => {
    const { model, ask } = compile([tool], { max_steps: 2 });
    await ask('call echo\ncall echo\ncall echo\ncall echo');
    expect(model.calls).toHaveLength(2);
  });

  it('appends what is said for this call as plain text, braces and dollars included', async () => {
    const { model, ask } = compile([]);
    const text = 'Call me {name}, $user or {{x}} $1 %s';
    await ask('hello', { appendix: [text] });
    expect(model.lastInstructions).toBe(`You test.\n\n${text}`);
  });

  it('gives tools valid arguments only, with defaults filled in, and tells the model what is wrong with others', async () => {
    const run = vi.spyOn(staticKind, 'run');
    const { ask } = compile([tool]);
    expect(await ask('call echo {"n": 3}')).toBe('echo -> echo');
    expect(run.mock.calls[0]?.[0].args).toEqual({ n: 3, unit: 'm' });
    expect(await ask('call echo {"n": 11}')).toContain('args/n must be <= 10');
    expect(await ask('call echo {"x": 1}')).toContain('must NOT have additional properties');
    expect(await ask('call echo not-json')).toContain('echo ->');
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('does not run for nobody', async () => {
    const run = vi.spyOn(staticKind, 'run');
    const { ask, agent } = compile([tool]);
    await expect(ask('call echo', { userId: '' })).rejects.toThrow();
    await expect(agent.generate({ prompt: 'call echo' } as never)).rejects.toThrow();
    // Nor where the agent is taken apart and its tools are called with nothing said about a user.
    const model = new RecordingModel();
    for (const context of [undefined, {}, { userId: '', sessionId: 's' }]) {
      const taken = generateText({
        model,
        tools: agent.tools,
        toolsContext: { echo: context } as never,
        prompt: 'call echo',
      });
      await taken.catch(() => {});
    }
    expect(model.calls.length).toBeGreaterThanOrEqual(3);
    expect(run).not.toHaveBeenCalled();
  });

  it('tells a tool who calls from the request, not from the arguments', async () => {
    const run = vi.spyOn(staticKind, 'run');
    const open: ToolConfig = { ...tool, argsSchema: { type: 'object' } };
    const { ask } = compile([open]);
    await Promise.all(['anna', 'bob'].map((userId) => ask('call echo {"userId": "robin"}', { userId })));
    expect(run.mock.calls.map(([{ context }]) => context.userId).sort()).toEqual(['anna', 'bob']);
  });

  it('compiles the validator of a tool when it is first called, and no other', async () => {
    const broken: ToolConfig = { ...tool, name: 'broken', argsSchema: { type: 'object', nonsense: true } };
    const { ask } = compile([broken, tool]);
    expect(await ask('call echo')).toBe('echo -> echo');
    expect(await ask('call broken')).toContain('The tool is out of order.');
    expect(await ask('call broken')).not.toContain('nonsense');
  });
});

describe('a tool that fails', () => {
  afterEach(() => vi.restoreAllMocks());
  const sqlTool: ToolConfig = { ...tool, kind: 'sql', config: { timeoutMs: 60 } };

  it('tells the model that it failed and nothing else; the log gets what kind of failure, without values', async () => {
    const failure = Object.assign(new Error('duplicate key (secret)=(abc) at 10.0.0.7'), {
      code: '23505',
      severity: 'ERROR',
    });
    vi.spyOn(staticKind, 'run').mockRejectedValue(failure);
    const warn = vi.fn();
    const { ask } = compile([tool], {}, { ...silentLog, warn });
    expect(await ask('call echo')).toBe('echo -> ToolError: The tool failed.');
    expect(warn).toHaveBeenCalledWith({ tool: 'echo', error: 'Error', sqlState: '23505' }, 'a tool failed');
  });

  it('may say in its own words what the model should know', async () => {
    vi.spyOn(staticKind, 'run').mockRejectedValue(new ToolError('There is no such month.'));
    expect(await compile([tool]).ask('call echo')).toBe('echo -> ToolError: There is no such month.');
  });

  it('does not take the answer with it when the database is away', async () => {
    vi.spyOn(sqlKind, 'run').mockRejectedValue(new DatabaseUnavailable('gone'));
    expect(await compile([sqlTool]).ask('call echo')).toBe('echo -> ToolError: The tool failed.');
  });

  it('is given up at its time limit, whether it listens or not', async () => {
    let told: unknown;
    vi.spyOn(sqlKind, 'run').mockImplementation(async ({ signal }) => {
      signal.addEventListener('abort', () => {
        told = signal.reason;
      });
      await sleep(20_000, undefined, { ref: false }); // deaf
    });
    const started = performance.now();
    expect(await compile([sqlTool]).ask('call echo')).toBe('echo -> ToolError: The tool did not answer within 60 ms.');
    expect(performance.now() - started).toBeLessThan(2000);
    expect(told).toBeInstanceOf(ToolError);
  });

  it('is left at once when the caller leaves', async () => {
    const controller = new AbortController();
    vi.spyOn(sqlKind, 'run').mockImplementation(async () => {
      controller.abort(new Error('left'));
      await sleep(20_000, undefined, { ref: false });
    });
    const slow: ToolConfig = { ...sqlTool, config: { timeoutMs: 10_000 } };
    const started = performance.now();
    await expect(compile([slow]).ask('call echo', { abortSignal: controller.signal })).rejects.toThrow('left');
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('has its answer cut where it is too long, between two characters, with a note', async () => {
    const long: ToolConfig = { ...tool, config: { value: '€'.repeat(20_000) } };
    const text = await compile([long]).ask('call echo');
    expect(text).toMatch(/^echo -> "€+ \[truncated: the first 32768 of 60002 bytes\]$/);
    expect(Buffer.byteLength(text)).toBeLessThan(33_000);
  });
});
