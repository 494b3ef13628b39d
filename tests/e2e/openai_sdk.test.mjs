// SPDX-License-Identifier: Apache-2.0
// The official openai SDK against the gateway: models, answers, streams, tools, errors, abort,
// idempotency, sessions.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import OpenAI from 'openai';
import { startBoth } from './lib/harness.mjs';

const SCRIPT = `
rules:
  - match: {user: "say hello", model: m1}
    answer: {text: "Grüße aus dem Mock 👋", usage: {input: 21, output: 7}}
  - match: {user: "list my files", after_tool: false, tool: files__list}
    answer: {calls: [{tool: files__list, args: {path: "."}}]}
  - match: {user: "list my files", tool_result: notes.txt}
    answer: "I see notes.txt."
  - match: {user: "weather", after_tool: false, tool: get_weather}
    answer: {calls: [{tool: get_weather, args: {city: "Zürich"}, id: call_weather}]}
    delivery: {argument_bytes: 3}
  - match: {user: "weather", tool_result: "sunny"}
    answer: "It is sunny."
  - match: {user: "too many"}
    fault: {status: 429, retry_after: 3600}
  - match: {user: "explode"}
    fault: {status: 500}
  - match: {user: "go on for ever"}
    answer: "one two three four five six seven eight nine ten"
    delivery: {hang_after: 2, text_bytes: 4}
  - match: {user: "how many messages"}
    answer: "{{messages}} messages"
  - match: {user: "count me"}
    answer: "request {{request}}"
`;

let mock, talon, client;
before(async () => {
  ({ mock, talon } = await startBoth(SCRIPT));
  client = new OpenAI({ baseURL: `${talon.base}/v1`, apiKey: talon.token, maxRetries: 0 });
});

const ask = (content, more = {}, options = {}) =>
  client.chat.completions.create({ model: 'talon', messages: [{ role: 'user', content }], ...more }, options);

test('models are listed', async () => {
  const ids = (await client.models.list()).data.map((model) => model.id);
  assert.equal(ids[0], 'talon');
  for (const id of ['mock/m1', 'claude/c1', 'gemini/g1']) assert.ok(ids.includes(id), `${id} in ${ids}`);
});

test('an answer', async () => {
  const completion = await ask('say hello');
  assert.equal(completion.object, 'chat.completion');
  assert.equal(completion.choices[0].message.content, 'Grüße aus dem Mock 👋');
  assert.equal(completion.choices[0].finish_reason, 'stop');
  assert.equal(completion.usage.prompt_tokens, 21);
  assert.equal(completion.usage.completion_tokens, 7);
  assert.equal(completion.usage.total_tokens, 28);
});

test('a streamed answer with usage', async () => {
  const stream = await ask('say hello', { stream: true, stream_options: { include_usage: true } });
  let text = '', usage = null, finish = null, pieces = 0;
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    if (choice?.delta.content) { text += choice.delta.content; ++pieces; }
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, 'Grüße aus dem Mock 👋');
  assert.ok(pieces > 1, 'the text came in several pieces');
  assert.equal(finish, 'stop');
  assert.equal(usage.total_tokens, 28);
});

test('a stream without usage has none', async () => {
  for await (const chunk of await ask('say hello', { stream: true })) assert.ok(!chunk.usage);
});

test('a passed-through model gets the messages as they are', async () => {
  await mock.forget();
  const completion = await ask('say hello', { model: 'mock/m1' });
  assert.equal(completion.choices[0].message.content, 'Grüße aus dem Mock 👋');
  const [request] = await mock.requests();
  assert.deepEqual(request.body.messages, [{ role: 'user', content: 'say hello' }]);
  assert.equal(request.body.tools, undefined);
});

for (const stream of [false, true]) {
  test(`an agent turn calls a real plugin (stream: ${stream})`, async () => {
    await mock.forget();
    const made = await ask('list my files', { stream });
    let text = '';
    if (stream) for await (const chunk of made) text += chunk.choices[0]?.delta.content ?? '';
    else text = made.choices[0].message.content;
    assert.equal(text, 'I see notes.txt.');
    const requests = await mock.requests();
    assert.equal(requests.length, 2);
    assert.match(requests[1].tool_result, /\[plugin_output plugin=files tool=files__list\]\n[^]*notes\.txt[^]*\[\/plugin_output\]/);
    assert.equal(requests[0].key, 'mock-key');
  });

  test(`a client's own tool goes round trip (stream: ${stream})`, async () => {
    const tools = [{ type: 'function', function: { name: 'get_weather', description: 'weather of a city',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } }];
    const messages = [{ role: 'user', content: 'weather please' }];
    let call, finish;
    if (stream) {
      const runner = client.chat.completions.stream({ model: 'talon', messages, tools });
      const final = await runner.finalChatCompletion();
      ({ finish_reason: finish } = final.choices[0]);
      [call] = final.choices[0].message.tool_calls;
    } else {
      const first = await client.chat.completions.create({ model: 'talon', messages, tools });
      ({ finish_reason: finish } = first.choices[0]);
      assert.equal(first.choices[0].message.content, null);
      [call] = first.choices[0].message.tool_calls;
    }
    assert.equal(finish, 'tool_calls');
    assert.equal(call.function.name, 'get_weather');
    assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Zürich' });
    messages.push({ role: 'assistant', content: null, tool_calls: [{ id: call.id, type: 'function', function: call.function }] },
      { role: 'tool', tool_call_id: call.id, content: 'sunny, 21 degrees' });
    const second = await client.chat.completions.create({ model: 'talon', messages, tools });
    assert.equal(second.choices[0].message.content, 'It is sunny.');
    assert.equal(second.choices[0].finish_reason, 'stop');
  });
}

test('a member that the agent cannot carry is refused by its name', async () => {
  await assert.rejects(ask('say hello', { logprobs: true }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError, String(error));
    assert.deepEqual([error.type, error.code, error.param], ['invalid_request_error', 'unsupported_parameter', 'logprobs']);
    return true;
  });
  const carried = await ask('say hello', { seed: 7, response_format: { type: 'json_object' }, store: false, metadata: { a: 'b' } });
  assert.equal(carried.choices[0].finish_reason, 'stop');
  await assert.rejects(ask('say hello', { model: 'talon:claude/c1', seed: 7 }), OpenAI.BadRequestError);
});

test('a model is retrieved by its name', async () => {
  assert.equal((await client.models.retrieve('talon')).owned_by, 'talon');
  assert.equal((await client.models.retrieve('mock/m1')).id, 'mock/m1');
  await assert.rejects(client.models.retrieve('nobody'), OpenAI.NotFoundError);
});

test('an unknown model is 404', async () => {
  await assert.rejects(ask('hi', { model: 'mock2/nothing' }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError, String(error));
    assert.match(error.message, /mock2\/nothing.*'talon'/);
    assert.deepEqual([error.type, error.code], ['invalid_request_error', 'model_not_found']);
    return true;
  });
  await assert.rejects(ask('hi', { model: 'talon:mock2/nothing' }), OpenAI.NotFoundError);
});

test('a wrong key is 401', async () => {
  const stranger = new OpenAI({ baseURL: `${talon.base}/v1`, apiKey: 'wrong', maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

test("a provider's rate limit is 429 with its retry-after", async () => {
  for (const model of ['talon', 'mock/m1']) {
    await assert.rejects(ask('too many', { model }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError, String(error));
      assert.equal(error.headers.get('retry-after'), '3600');
      assert.equal(error.error.type, 'rate_limit_error');
      return true;
    });
  }
});

test("a provider's failure is told after its tries", async () => {
  await mock.forget();
  await assert.rejects(ask('explode'), (error) => {
    assert.ok(error instanceof OpenAI.InternalServerError, String(error));
    assert.equal(error.status, 503);
    assert.match(error.message, /mock\/m1/);
    return true;
  });
  assert.equal((await mock.requests()).length, 3, 'max_attempts tries');
});

test("an error in a stream reaches the SDK", async () => {
  const read = async () => {
    for await (const chunk of await ask('explode', { stream: true })) void chunk;
  };
  await assert.rejects(read(), (error) => error instanceof OpenAI.APIError);
});

test('an aborted stream cancels its turn', async () => {
  const { data: stream, response } = await ask('go on for ever', { stream: true }).withResponse();
  const turn = response.headers.get('x-talon-turn');
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) stream.controller.abort();
  }
  const { status, body } = await talon.get(`/v1/turns/${turn}?wait=true`);
  assert.equal(status, 200);
  assert.equal(body.state, 'cancelled');
});

test('a request given up before its answer is cancelled', async () => {
  await mock.forget();
  const controller = new AbortController();
  const asked = ask('go on for ever', { user: 'giving-up' }, { signal: controller.signal });
  const refused = assert.rejects(asked, OpenAI.APIUserAbortError);
  let asked_model = 0;  // only then the turn is surely under way
  for (let tries = 0; asked_model === 0 && tries < 5000; ++tries) asked_model = (await mock.requests()).length;
  assert.equal(asked_model, 1);
  controller.abort();
  await refused;
  const { sessions } = (await talon.get('/v1/sessions')).body;
  const session = sessions.find((one) => one.key === 'user:giving-up');
  const { messages } = (await talon.get(`/v1/sessions/${session.id}/messages`)).body;
  const { body } = await talon.get(`/v1/turns/${messages[0].turn}?wait=true`);
  assert.equal(body.state, 'cancelled');
});

test('an idempotency key replays the answer without asking the model again', async () => {
  await mock.forget();
  const options = { headers: { 'Idempotency-Key': 'once-1' } };
  const first = await ask('count me', {}, options);
  const second = await ask('count me', {}, options);
  assert.equal(second.choices[0].message.content, first.choices[0].message.content);
  assert.equal(second.id, first.id);
  let streamed = '';
  const again = { headers: { 'Idempotency-Key': 'once-2' } };
  for await (const chunk of await ask('count me', { stream: true }, again)) streamed += chunk.choices[0]?.delta.content ?? '';
  let replayed = '';
  for await (const chunk of await ask('count me', { stream: true }, again)) replayed += chunk.choices[0]?.delta.content ?? '';
  assert.equal(replayed, streamed);
  assert.equal((await mock.requests()).length, 2);
  await assert.rejects(ask('another text', {}, options), (error) => error.status === 422);
});

test('sessions by user field and by header keep their history', async () => {
  const texts = async (more, options) => {
    await mock.forget();
    await ask('how many messages', more, options);
    const [request] = await mock.requests();
    return request.body.messages.filter((message) => message.role === 'user').length;
  };
  assert.equal(await texts({ user: 'anna' }), 1);
  assert.equal(await texts({ user: 'anna' }), 2);
  assert.equal(await texts({ user: 'bert' }), 1);
  const header = { headers: { 'X-Talon-Session': 'project-x' } };
  assert.equal(await texts({}, header), 1);
  assert.equal(await texts({}, header), 2);
  assert.equal(await texts({}), 1, 'without either every request stands alone');
  const keys = (await talon.get('/v1/sessions')).body.sessions.map((session) => session.key);
  assert.ok(keys.includes('user:anna') && keys.includes('project-x'), keys.join());
});

test('a client that repeats the history does not double it', async () => {
  const options = { headers: { 'X-Talon-Session': 'repeats' } };
  const first = await ask('how many messages', {}, options);
  await mock.forget();
  await client.chat.completions.create({ model: 'talon', messages: [
    { role: 'user', content: 'how many messages' },
    { role: 'assistant', content: first.choices[0].message.content },
    { role: 'user', content: 'how many messages now' }] }, options);
  const [request] = await mock.requests();
  const users = request.body.messages.filter((message) => message.role === 'user');
  assert.equal(users.length, 2);
});
