/** The `llm_config` of an agent. What it does not know is refused: a misspelt provider must not become another one. */
import { z } from 'zod';

/** Which model answers for an agent, and how. `api_key` names a secret of the server; it never is one. */
export const llmConfigSchema: z.ZodType<LlmConfig, unknown> = z
  .strictObject({
    provider: z.enum(['offline', 'openai-compatible']).optional(),
    model: z.string().min(1).optional(),
    base_url: z.url({ protocol: /^https?$/ }).optional(),
    api_key: z.strictObject({ $secret: z.string().min(1) }).optional(),
    temperature: z.number().min(0).max(2).optional(),
    max_tokens: z.int().min(1).optional(),
    max_steps: z.int().min(1).max(50).default(10),
  })
  .superRefine(({ provider, base_url, api_key }, context) => {
    if (base_url !== undefined && provider !== 'openai-compatible') {
      context.addIssue('base_url: expected provider "openai-compatible" with it');
    }
    if (api_key !== undefined && base_url === undefined) {
      context.addIssue('api_key: expected base_url with it: a key is for one endpoint');
    }
  });

export interface LlmConfig {
  /** Default: the server's endpoint, or the offline model where it has none. */
  readonly provider?: 'offline' | 'openai-compatible' | undefined;
  readonly model?: string | undefined;
  readonly base_url?: string | undefined;
  readonly api_key?: { readonly $secret: string } | undefined;
  readonly temperature?: number | undefined;
  readonly max_tokens?: number | undefined;
  /** How many times the model may be asked for one answer. Default 10. */
  readonly max_steps: number;
}
