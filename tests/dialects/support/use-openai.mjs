// Uses the official client as its users do, and prints what it got.
const { default: OpenAI } = await import(process.env.CLIENT);
const client = new OpenAI({ baseURL: process.env.BASE_URL, maxRetries: 0 });
const input = JSON.parse(process.env.INPUT);
const got = {};

const tools = [
  {
    type: 'function',
    name: 'look_up',
    description: 'Looks up an order.',
    parameters: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
    strict: false,
  },
];

async function failure(work) {
  try {
    await work();
    return 'no error';
  } catch (error) {
    return {
      name: error.constructor.name,
      status: error.status,
      code: error.code,
      param: error.param,
      type: error.type,
      message: error.message,
    };
  }
}

// Submit and poll.
let polled = await client.responses.create({
  model: 'Plain',
  input: 'Hello.',
  background: true,
  metadata: { order: '17' },
});
got.accepted = { status: polled.status, id: polled.id, object: polled.object };
while (polled.status === 'queued' || polled.status === 'in_progress') {
  await new Promise((resolve) => setTimeout(resolve, 50));
  polled = await client.responses.retrieve(polled.id);
}
got.polled = polled;

// Wait for it, and go on.
const waited = await client.responses.create({
  model: input.agentId,
  input: 'Hello.',
  previous_response_id: polled.id,
});
got.waited = { status: waited.status, output_text: waited.output_text, conversation: waited.conversation };

// Go back: what follows a response that is not the newest is a conversation of its own.
const another = () =>
  client.responses.create(
    { model: 'Plain', input: 'Otherwise?', previous_response_id: polled.id },
    { headers: { 'Idempotency-Key': 'otherwise' } },
  );
const otherwise = await another();
const textsOf = async (conversation) => {
  const texts = [];
  for await (const { content } of client.conversations.items.list(conversation.id, { order: 'asc' }))
    texts.push(content[0].text);
  return texts;
};
got.forked = {
  status: otherwise.status,
  isAnother: otherwise.conversation.id !== waited.conversation.id,
  isOnce: (await another()).id === otherwise.id,
  asked: (await textsOf(otherwise.conversation)).filter((_, index) => index % 2 === 0),
  leftAlone: (await textsOf(waited.conversation)).length,
};

// The stream helper.
const streamed = client.responses.stream({ model: 'Plain', input: 'Hello.' });
const events = [];
for await (const event of streamed)
  events.push({ type: event.type, number: event.sequence_number, delta: event.delta });
const final = await streamed.finalResponse();
got.streamed = {
  types: events.map(({ type }) => type),
  numbers: events.map(({ number }) => number),
  text: final.output_text,
  id: final.id,
  status: final.status,
};
// Again, from its id: the whole stream, and a part of it by either way.
const collect = async (stream) => {
  const all = [];
  for await (const event of stream) all.push([event.sequence_number, event.type, event.delta ?? null]);
  return all;
};
const whole = await collect(await client.responses.retrieve(final.id, { stream: true }));
const middle = whole[Math.floor(whole.length / 2)][0];
const byCursor = await collect(
  await client.responses.retrieve(final.id, { stream: true, starting_after: middle }),
);
const byHelper = await collect(client.responses.stream({ response_id: final.id, starting_after: middle }));
got.again = {
  whole:
    JSON.stringify(whole) ===
    JSON.stringify(events.map(({ type, number, delta }) => [number, type, delta ?? null])),
  byCursor: JSON.stringify(byCursor) === JSON.stringify(whole.filter(([number]) => number > middle)),
  byHelper: JSON.stringify(byHelper) === JSON.stringify(whole.filter(([number]) => number > middle)),
};

// Functions: the response ends with the call, and the output begins the next one.
const call = client.responses.stream({ model: 'Open', input: 'Where is my order?', tools });
const called = await call.finalResponse();
const {
  name,
  arguments: given,
  call_id: callId,
} = called.output.find(({ type }) => type === 'function_call');
got.called = { status: called.status, name, given, types: called.output.map(({ type }) => type) };
const retrieved = await client.responses.retrieve(called.id);
// The helper adds what it parsed.
const facts = ({ output }) =>
  JSON.stringify(
    output.map((item) => [item.id, item.type, item.status, item.arguments ?? item.content?.[0]?.text]),
  );
got.calledAgain = facts(retrieved) === facts(called);
const outputs = [{ type: 'function_call_output', call_id: callId, output: 'It is in Lisbon.' }];
got.withoutOutput = await failure(() =>
  client.responses.create({ model: 'Open', input: 'Well?', tools, previous_response_id: called.id }),
);
const answered = await client.responses
  .stream({ model: 'Open', input: outputs, tools, previous_response_id: called.id })
  .finalResponse();
got.answered = {
  status: answered.status,
  text: answered.output_text,
  id: answered.id,
  previous: answered.previous_response_id,
};
got.unchanged = (await client.responses.retrieve(called.id)).status;
got.inputItems = (await client.responses.inputItems.list(answered.id)).data;
got.answeredTwice = await failure(() =>
  client.responses.create({ model: 'Open', input: outputs, tools, previous_response_id: called.id }),
);

// A conversation, and what is in it.
const conversation = await client.conversations.create({ metadata: { agent: 'Plain' } });
const talked = await client.responses.create({
  model: 'Plain',
  input: 'Hello.',
  conversation: conversation.id,
});
got.talked = talked.conversation.id === conversation.id;
await client.responses.create({ model: 'Plain', input: 'And?', conversation: conversation.id });
const items = [];
for await (const item of client.conversations.items.list(conversation.id, { order: 'asc', limit: 1 }))
  items.push([item.type, item.role, item.content[0].text]);
got.items = items;
const back = [];
for await (const item of client.conversations.items.list(conversation.id, { limit: 3 }))
  back.push([item.type, item.role, item.content[0].text]);
got.itemsBack = JSON.stringify(back.toReversed()) === JSON.stringify(items);
got.renamed = (await client.conversations.update(conversation.id, { metadata: { a: 'b' } })).metadata;
got.deletedConversation = (await client.conversations.delete(conversation.id)).deleted;
got.gone = await failure(() => client.responses.retrieve(talked.id));

// What the agent allows, and what it does not.
got.instructed = (
  await client.responses.create({
    model: 'Open',
    input: 'Hello.',
    instructions: 'Be brief.',
    max_output_tokens: 100,
  })
).instructions;
got.notAllowed = await failure(() =>
  client.responses.create({ model: 'Plain', input: 'Hello.', instructions: 'Be brief.' }),
);
const format = {
  type: 'json_schema',
  name: 'answer',
  strict: true,
  schema: {
    type: 'object',
    properties: { ok: { type: 'boolean' } },
    required: ['ok'],
    additionalProperties: false,
  },
};
got.parsed =
  (await client.responses.parse({ model: 'Open', input: 'As JSON.', text: { format } })).output_parsed ??
  null;
got.unknownModel = await failure(() => client.responses.create({ model: 'nobody', input: 'Hello.' }));
got.notStored = await failure(() =>
  client.responses.create({ model: 'Plain', input: 'Hello.', store: false }),
);
got.wrongKey = await failure(() =>
  new OpenAI({ baseURL: process.env.BASE_URL, apiKey: 'sk-wrong', maxRetries: 0 }).models.list(),
);
got.models = (await client.models.list()).data.map(({ id }) => id).toSorted();
got.model = (await client.models.retrieve('Plain')).id;

// Once for each key.
const once = () =>
  client.responses.create(
    { model: 'Plain', input: 'Once.', background: true },
    { headers: { 'Idempotency-Key': 'once' } },
  );
const [first, second] = [await once(), await once()];
got.once = first.id === second.id;

const whole2 = await client.responses.create({ model: 'Plain', input: 'Hello.' });
got.deleted = (await client.responses.delete(whole2.id)) ?? null;
got.deletedGone = await failure(() => client.responses.retrieve(whole2.id));

// Cancelled in the middle.
const slow = await client.responses.create({ model: 'Plain', input: 'Slowly.', background: true });
const slowly = client.responses.stream({ response_id: slow.id });
let cancelled = false;
for await (const event of slowly) {
  if (event.type === 'response.output_text.delta' && !cancelled) {
    cancelled = true;
    await client.responses.cancel(slow.id);
  }
}
const stopped = await client.responses.retrieve(slow.id);
got.cancelled = {
  status: stopped.status,
  streamed: (await slowly.finalResponse()).status,
  item: stopped.output[0]?.status,
};

process.stdout.write(JSON.stringify(got));
