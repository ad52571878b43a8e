export { type Behaviour, type ScriptedCall, ScriptedSource, type SourceMethod } from './scripted-source.ts';
export { type ContractCheck, type SourceHarness, sourceContract } from './source-contract.ts';
export { settle, VirtualClock } from './virtual-clock.ts';
