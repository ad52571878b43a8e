/** The agents a caller may use, as OpenAI's clients list models. */
import { memoByIdentity } from 'evercache';
import type { FastifyInstance } from 'fastify';
import type { AgentLoader } from '../agents/load-agent-executor.ts';

interface Model {
  readonly id: string;
  readonly object: 'model';
  readonly created: number;
  readonly owned_by: string;
}

export function modelRoutes(app: FastifyInstance, loader: Pick<AgentLoader, 'findAgent' | 'listAgents'>): void {
  // Written once per change: the same names are the same array.
  const written = memoByIdentity((agentNames: readonly string[]) =>
    Buffer.from(JSON.stringify({ object: 'list', data: agentNames.map(toModel) })),
  );
  app.get('/v1/models', async ({ caller }, reply) => {
    reply.type('application/json; charset=utf-8');
    return written(await loader.listAgents(caller.userId));
  });

  app.get<{ Params: { id: string } }>('/v1/models/:id', async ({ caller, params: { id } }) => {
    const { agentName } = await loader.findAgent(id, caller.userId);
    return toModel(agentName);
  });
}

function toModel(id: string): Model {
  return { id, object: 'model', created: 0, owned_by: 'chat-server' };
}
