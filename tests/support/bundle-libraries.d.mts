export const libraryPaths: Record<string, string>;
export function bundleLibraries(): Promise<void>;
