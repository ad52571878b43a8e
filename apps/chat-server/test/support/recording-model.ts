/** The offline model, with a memory of what it was asked. */
import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import { OfflineModel } from '../../src/agents/offline-model.ts';

export class RecordingModel extends OfflineModel {
  readonly calls: LanguageModelV4CallOptions[] = [];

  override doGenerate(options: LanguageModelV4CallOptions): ReturnType<OfflineModel['doGenerate']> {
    this.calls.push(options);
    return super.doGenerate(options);
  }

  override doStream(options: LanguageModelV4CallOptions): ReturnType<OfflineModel['doStream']> {
    this.calls.push(options);
    return super.doStream(options);
  }

  /** The instructions of the last call. */
  get lastInstructions(): string {
    const system = this.calls.at(-1)?.prompt.find(({ role }) => role === 'system');
    return typeof system?.content === 'string' ? system.content : '';
  }
}
