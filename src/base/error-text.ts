/** What an error says; whatever else was thrown as a text. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
