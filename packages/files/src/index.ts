export type { ByteRange } from './file-storage.ts';
export { fileSettings, fileVariables, type FileSettings } from './file-settings.ts';
export { Files, fileTooLarge, noFile, openFiles, type FileRequest } from './files.ts';
