/** Which model answers for an agent: by the agent's `llm_config`, by the server's endpoint, or the offline model. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { LanguageModelV4 } from '@ai-sdk/provider';
import type { LlmConfig } from './llm-config.ts';
import { OfflineModel } from './offline-model.ts';

export interface ModelOptions {
  /** An OpenAI-compatible endpoint for every agent that names none. */
  readonly baseUrl?: string | undefined;
  /** The key for that endpoint. It is sent nowhere else. */
  readonly apiKey?: string | undefined;
  /** The model to ask there for an agent that names none. Default `gpt-4.1-mini`. */
  readonly model?: string | undefined;
  /** Secrets that rows may refer to by name, as `{ "$secret": "NAME" }`. Default: none. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
}

/** Gives an agent its model. Throws ModelNotConfigured. */
export type ModelFactory = (config: LlmConfig) => LanguageModelV4;

/** The agent's row asks for what this server does not have. For logs and admins: the row, or the server, must change. */
export class ModelNotConfigured extends Error {
  override readonly name = 'ModelNotConfigured';
}

const DEFAULT_MODEL = 'gpt-4.1-mini';

export function createModelFactory({ baseUrl, apiKey, model, secrets = {} }: ModelOptions = {}): ModelFactory {
  return (config) => {
    const provider = config.provider ?? (baseUrl === undefined ? 'offline' : 'openai-compatible');
    if (provider === 'offline') return new OfflineModel(config.model);
    const modelId = config.model ?? model ?? DEFAULT_MODEL;
    // A row's own endpoint gets the row's own key and never the server's: else a row could send that key anywhere.
    if (config.base_url !== undefined) return connect(modelId, config.base_url, resolveSecret(config, secrets));
    if (baseUrl === undefined) {
      throw new ModelNotConfigured('llm_config: expected base_url, because this server has no endpoint of its own');
    }
    return connect(modelId, baseUrl, apiKey);
  };
}

function connect(modelId: string, baseURL: string, apiKey: string | undefined): LanguageModelV4 {
  const settings = { name: 'openai-compatible', baseURL, includeUsage: true };
  return createOpenAICompatible(apiKey === undefined ? settings : { ...settings, apiKey }).chatModel(modelId);
}

function resolveSecret({ api_key }: LlmConfig, secrets: Readonly<Record<string, string>>): string | undefined {
  if (api_key === undefined) return undefined;
  if (!Object.hasOwn(secrets, api_key.$secret)) {
    throw new ModelNotConfigured(`llm_config.api_key: this server holds no secret named "${api_key.$secret}"`);
  }
  return secrets[api_key.$secret];
}
