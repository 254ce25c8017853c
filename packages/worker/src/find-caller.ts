/** The URL of the module whose code calls `through`; null where it cannot be told. */
export function findCaller(through: (...values: never[]) => unknown): string | null {
  const { prepareStackTrace: before, stackTraceLimit } = Error;
  const holder: { stack?: unknown } = {};
  try {
    Error.stackTraceLimit = 1;
    Error.prepareStackTrace = (_error, sites) => sites;
    Error.captureStackTrace(holder, through);
    const sites = holder.stack as NodeJS.CallSite[];
    const file: unknown = sites[0]?.getFileName();
    if (typeof file !== 'string') return null;
    return /^(file|data):/.test(file) ? file : file.startsWith('/') ? `file://${file}` : null;
  } finally {
    Error.prepareStackTrace = before;
    Error.stackTraceLimit = stackTraceLimit;
  }
}
