/* The objects of A2A 1.0 as they are written in JSON (`specification/a2a.proto`, ProtoJSON). */

export type TaskState =
  | 'TASK_STATE_SUBMITTED'
  | 'TASK_STATE_WORKING'
  | 'TASK_STATE_COMPLETED'
  | 'TASK_STATE_FAILED'
  | 'TASK_STATE_CANCELED'
  | 'TASK_STATE_INPUT_REQUIRED'
  | 'TASK_STATE_REJECTED';

/** Exactly one of `text`, `raw` (base64), `url` and `data`. */
export interface Part {
  text?: string;
  raw?: string;
  url?: string;
  data?: unknown;
  filename?: string;
  mediaType?: string;
}

export interface Message {
  messageId: string;
  contextId: string;
  taskId: string;
  role: 'ROLE_USER' | 'ROLE_AGENT';
  parts: Part[];
}

export interface Artifact {
  artifactId: string;
  name: string;
  parts: Part[];
}

export interface TaskStatus {
  state: TaskState;
  message?: Message;
  timestamp: string;
}

export interface Task {
  id: string;
  contextId: string;
  status: TaskStatus;
  artifacts?: Artifact[];
  history?: Message[];
  metadata?: Record<string, unknown>;
}

interface TaskReference {
  taskId: string;
  contextId: string;
}

/** What a stream consists of: exactly one of these. */
export type StreamResponse =
  | { task: Task }
  | { statusUpdate: TaskReference & { status: TaskStatus } }
  | { artifactUpdate: TaskReference & { artifact: Artifact; append: boolean; lastChunk: boolean } };
