export type { Behaviour, Lie, ScriptedCall, ScriptedMethod, SourceMethod } from './behaviour.ts';
export type { SourceHarness } from './harness.ts';
export { ScriptedSource } from './scripted-source.ts';
export { type ContractCheck, type ContractOptions, sourceContract } from './source-contract.ts';
export { settle, VirtualClock } from './virtual-clock.ts';
