/** What a caller asked for does not exist, or not for this caller: the two look the same, so that nothing can be probed. */

export class AgentNotFound extends Error {
  override readonly name = 'AgentNotFound';

  constructor() {
    super('There is no such agent for this user.');
  }
}

export class SessionNotFound extends Error {
  override readonly name = 'SessionNotFound';

  constructor() {
    super('There is no such session for this user.');
  }
}
