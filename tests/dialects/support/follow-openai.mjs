// Follows a response by its cursor, however often the connection is cut, and prints what it saw.
const { default: OpenAI } = await import(process.env.CLIENT);
const client = new OpenAI({ baseURL: process.env.BASE_URL, maxRetries: 0 });
const { id } = JSON.parse(process.env.INPUT);
const seen = { numbers: [], text: '', connections: 0, restarts: 0, final: null };

while (seen.final === null) {
  seen.connections += 1;
  const after = seen.numbers.at(-1);
  try {
    const stream = await client.responses.retrieve(id, {
      stream: true,
      ...(after === undefined ? {} : { starting_after: after }),
    });
    for await (const event of stream) {
      seen.numbers.push(event.sequence_number);
      if (event.type === 'response.output_text.delta') seen.text += event.delta;
      if (event.type === 'response.completed') seen.final = event.response;
    }
  } catch (error) {
    // The text so far is void: as the reference says, from the beginning.
    if (error.code === 'stream_restarted') {
      seen.restarts += 1;
      seen.numbers = [];
      seen.text = '';
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
// What a client gets that was never cut.
const whole = { numbers: [], text: '' };
for await (const event of await client.responses.retrieve(id, { stream: true })) {
  whole.numbers.push(event.sequence_number);
  if (event.type === 'response.output_text.delta') whole.text += event.delta;
}
process.stdout.write(JSON.stringify({ ...seen, whole }));
