/** The agents a caller may use, as OpenAI's clients list models. */
import type { FastifyInstance } from 'fastify';
import type { AgentLoader } from '../agents/load-agent-executor.ts';

interface Model {
  readonly id: string;
  readonly object: 'model';
  readonly created: number;
  readonly owned_by: string;
}

export function modelRoutes(app: FastifyInstance, loader: Pick<AgentLoader, 'findAgent' | 'listAgents'>): void {
  app.get('/v1/models', async ({ caller }) => {
    const agents = await loader.listAgents(caller.userId);
    return { object: 'list', data: agents.map(({ agentName }) => toModel(agentName)) };
  });

  app.get<{ Params: { id: string } }>('/v1/models/:id', async ({ caller, params: { id } }) => {
    const { agentName } = await loader.findAgent(id, caller.userId);
    return toModel(agentName);
  });
}

function toModel(id: string): Model {
  return { id, object: 'model', created: 0, owned_by: 'chat-server' };
}
