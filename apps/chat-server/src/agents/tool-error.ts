/** A tool failed. The message goes to the model, and through it to a stranger: it says what, never a detail of why. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}
