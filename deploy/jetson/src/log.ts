/** Lines to standard error, for journald or a container's log; standard output carries the ready line alone. */
function line(text: string): void {
  process.stderr.write(`nibble-offload: ${text.replace(/\s+/g, ' ').trim()}\n`);
}

export const log = {
  info: line,
  warn: (text: string): void => line(`WARNING: ${text}`),
  error: (text: string): void => line(`ERROR: ${text}`),
};

/** What an error says, in one line. */
export function said(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim();
}
