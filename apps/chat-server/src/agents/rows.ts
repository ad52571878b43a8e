/**
 * The rows as the caches hold them, each with the schema that decides whether a row may go live. A row that fails is
 * quarantined by its cache: the last good value stays, and the row is listed with its problem.
 */
import { z } from 'zod';
import { type LlmConfig, llmConfigSchema } from './llm-config.ts';

/** As in the tables: a name that breaks it needs no look-up. */
export const agentNamePattern: RegExp = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;

export interface AgentConfiguration {
  readonly id: string;
  readonly agentName: string;
  readonly description: string;
  readonly instructions: string;
  readonly llmConfig: LlmConfig;
  /** Every user may use it; otherwise `allowedUsers` may. */
  readonly isPublic: boolean;
  readonly allowedUsers: readonly string[];
}

export const agentConfigurationSchema: z.ZodType<AgentConfiguration, unknown> = z.object({
  id: z.string().min(1),
  agentName: z.string().min(1),
  description: z.string(),
  instructions: z.string().min(1),
  llmConfig: llmConfigSchema,
  isPublic: z.boolean(),
  allowedUsers: z.array(z.string()),
});

/** What a key opens. The key itself is not here: it is known by its hash. */
export interface ApiKeyRecord {
  readonly id: string;
  /** The first characters of the key. */
  readonly prefix: string;
  readonly userId: string;
  readonly scopes: readonly string[];
  /** Milliseconds since 1970; `null`: does not expire. */
  readonly expiresAt: number | null;
}

export const apiKeyRecordSchema: z.ZodType<ApiKeyRecord, unknown> = z.object({
  id: z.string().min(1),
  prefix: z.string(),
  userId: z.string().min(1),
  scopes: z.array(z.string()),
  expiresAt: z.number().nullable(),
});

/** What a user told an agent to keep to. `null`: nothing, which is remembered like any other answer. */
export interface UserInstructions {
  readonly instructions: string | null;
}

export const userInstructionsSchema: z.ZodType<UserInstructions, unknown> = z.object({
  instructions: z.string().nullable(),
});
