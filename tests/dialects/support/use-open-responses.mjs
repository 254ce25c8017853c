// Uses the AI SDK with its provider for Open Responses, as its users do, and prints what it got.
import { z } from 'zod';

const { sdk, provider } = JSON.parse(process.env.INPUT);
const { generateText, Output, stepCountIs, streamText, tool } = await import(sdk);
const { createOpenResponses } = await import(provider);
const turnpike = createOpenResponses({
  name: 'turnpike',
  url: `${process.env.BASE_URL}/responses`,
  apiKey: process.env.OPENAI_API_KEY,
});
const model = turnpike('Open');
const got = {};

async function failure(work) {
  try {
    await work();
    return 'no error';
  } catch (error) {
    return { name: error.name, status: error.statusCode, message: error.message };
  }
}

const generated = await generateText({ model, prompt: 'Hello.', system: 'Be kind.' });
got.generated = { text: generated.text, reason: generated.finishReason };

const streamed = streamText({ model, prompt: 'Hello.' });
let text = '';
for await (const piece of streamed.textStream) text += piece;
got.streamed = { text, reason: await streamed.finishReason };

// Two rounds of calls of a function that runs here, then an answer: the SDK repeats all of it in every request.
let runs = 0;
const lookUp = tool({
  description: 'Looks up an order.',
  inputSchema: z.object({ order: z.string() }),
  execute: async ({ order }) => {
    runs += 1;
    return `${order} is in Lisbon`;
  },
});
const asked = {
  model,
  prompt: 'Where are my orders?',
  tools: { look_up: lookUp },
  stopWhen: stepCountIs(5),
};
const called = await generateText(asked);
got.called = { text: called.text, steps: called.steps.length, runs };
runs = 0;
const calledInStream = streamText(asked);
got.calledInStream = {
  text: await calledInStream.text,
  steps: (await calledInStream.steps).length,
  runs,
};

const { output } = await generateText({
  model,
  prompt: 'As JSON.',
  output: Output.object({ schema: z.object({ ok: z.boolean() }) }),
});
got.output = output;

// A conversation that the client keeps.
const messages = [{ role: 'user', content: 'Hello.' }];
const first = await generateText({ model, messages });
messages.push(...first.response.messages, { role: 'user', content: 'And?' });
got.next = await failure(async () => {
  const next = await generateText({ model, messages });
  got.conversation = { first: first.response.id, next: next.response.id, text: next.text };
});

got.unknown = await failure(() => generateText({ model: turnpike('Nobody'), prompt: 'Hello.' }));
process.stdout.write(JSON.stringify(got));
