/** A file that a conversation names, as it is now. */
export interface OpenedFile {
  /** The content, in pieces. Throws where it is erased meanwhile. */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Where the files of conversations are. */
export interface ModelFiles {
  /** Null where it was deleted, has expired, or is not the tenant's. */
  open(tenantId: string, fileId: string): Promise<OpenedFile | null>;
}

export const NO_FILES: ModelFiles = { open: () => Promise.resolve(null) };
