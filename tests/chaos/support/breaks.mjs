/**
 * How each deliberately broken build differs from the real one: texts of built files, and what replaces them. Each
 * must be found exactly once, else the worker does not start. The texts are those of the bundle (`dist/program`), which
 * has other quotes than the file, and no `export`.
 */
export const BREAKS = {
  /** A worker goes on writing and sending after its lease has expired or another worker has claimed the turn. */
  'fence-off': [
    {
      file: 'packages/store/dist/turns/advance-turn.js',
      text: 'turns.epoch = given.epoch AND status = ANY ($2) AND leased_until > now() AND event_count = given.built_on',
      instead: 'status = ANY ($2)',
    },
    {
      file: 'packages/turns/dist/lease-clock.js',
      text: 'performance.now() >= this.#until',
      instead: 'false',
    },
    {
      file: 'packages/turns/dist/lease.js',
      text: 'lose(cause) {',
      instead: 'lose(cause) { return new LeaseLostError(this.turn.id, cause);',
    },
  ],
  /** Secrets are shown in logs, in tool output and in errors of the model API. */
  'redaction-off': [
    {
      file: 'packages/telemetry/dist/hidden-values.js',
      text: 'function scrub(text) {',
      instead: 'function scrub(text) { return text;',
    },
    {
      file: 'packages/tools/dist/http/hide-secrets.js',
      text: 'values.flatMap(withCredential)',
      instead: '[]',
    },
    {
      file: 'packages/model/dist/safe-message.js',
      // Not by the name of its parameter, which the bundler may change.
      text: '.replaceAll(KEY_LIKE,',
      instead: '.replaceAll(/(?!)/g,',
    },
  ],
  /** The next worker starts the child turn of a call again, though the call has one. */
  'children-again': [
    {
      file: 'packages/agent/dist/progress.js',
      text: 'turn.openToolCalls.map((',
      instead: 'turn.openToolCalls.map((call) => ({ ...call, childTurnId: null })).map((',
    },
    {
      file: 'packages/store/dist/children/start-children.js',
      text: 'FROM given JOIN turns ON turns.parent_tool_call_id = given.call_id',
      instead: 'FROM given JOIN turns ON turns.parent_tool_call_id = given.turn_id',
    },
    {
      file: 'packages/store/dist/children/start-children.js',
      text: '$6, parent.id, chosen.call_id, parent.root',
      instead: '$6, parent.id, chosen.turn_id, parent.root',
    },
  ],
  /** A tool in code does its durable steps whether or not they were done before. */
  'steps-off': [
    {
      file: 'packages/worker/dist/code/durable-steps.js',
      text: 'const known = this.#context.steps().find(',
      instead: 'const known = [].find(',
    },
  ],
  /** The next worker does not check which calls were sent already, and which have a result. */
  'receipts-off': [
    {
      file: 'packages/agent/dist/progress.js',
      text: 'turn.openToolCalls.map((',
      instead: "turn.openToolCalls.map((call) => ({ ...call, status: 'pending', output: null })).map((",
    },
  ],
};
