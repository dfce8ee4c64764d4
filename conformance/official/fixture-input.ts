/** The fixture's tools that ask the client for something before they answer (SEP-2322, multi-round-trip requests). */
import { randomBytes } from 'node:crypto';
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';

export const stateCodec = createRequestStateCodec<string>({ key: randomBytes(32), ttlSeconds: 600 });

const name = z.object({ name: z.string() });
const confirmation = z.object({ ok: z.boolean() });

const answer = (words: string) => ({ content: [{ type: 'text' as const, text: words }] });
const askName = (message: string) => inputRequired.elicit({ message, requestedSchema: name });
const askConfirmation = () => inputRequired.elicit({ message: 'Please confirm', requestedSchema: confirmation });
const askModel = (question: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: question } }], maxTokens });

/** What the client of this request says it can do; a revision without sessions says it with every request. */
function declared(ctx: ServerContext): Readonly<Record<string, unknown>> {
  const envelope: Readonly<Record<string, unknown>> | undefined = ctx.mcpReq.envelope;
  return (envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}) as Readonly<Record<string, unknown>>;
}

export function registerInputTools(server: McpServer): void {
  registerOneQuestion(server);
  registerWithState(server);
  registerPushed(server);

  // What the client did not declare the SDK refuses by itself, with -32021.
  server.registerTool('test_missing_capability', { description: 'Needs a client that samples.' }, () =>
    inputRequired({ inputRequests: { model: askModel('What is the capital of France?', 100) } }),
  );
  server.registerTool(
    'test_input_required_result_capabilities',
    { description: 'Asks only for what the client can do.' },
    (ctx) => {
      const can = declared(ctx);
      return inputRequired({
        inputRequests: {
          ...('sampling' in can && { thought: askModel('What is the capital of France?', 100) }),
          ...('elicitation' in can && { user_name: askName('What is your name?') }),
        },
      });
    },
  );
  server.registerPrompt('test_input_required_result_prompt', { description: 'Asks for its context first.' }, (ctx) => {
    const context = z.object({ context: z.string() });
    const given = acceptedContent(ctx.mcpReq.inputResponses, 'user_context', context);
    if (!given) {
      const message = 'What context should the prompt use?';
      return inputRequired({
        inputRequests: { user_context: inputRequired.elicit({ message, requestedSchema: context }) },
      });
    }
    return { messages: [{ role: 'user', content: { type: 'text', text: given.context } }] };
  });
}

function registerOneQuestion(server: McpServer): void {
  for (const tool of ['test_input_required_result_elicitation', 'test_streaming_elicitation']) {
    server.registerTool(tool, { description: 'Asks for a name.' }, (ctx) => {
      const given = acceptedContent(ctx.mcpReq.inputResponses, 'user_name', name);
      if (given) return answer(`Hello, ${given.name}!`);
      return inputRequired({ inputRequests: { user_name: askName('What is your name?') } });
    });
  }
  server.registerTool('test_input_required_result_sampling', { description: 'Asks the client’s model.' }, (ctx) => {
    const given = inputResponse(ctx.mcpReq.inputResponses, 'capital_question');
    if (given.kind === 'sampling') return answer(JSON.stringify(given.result.content));
    return inputRequired({ inputRequests: { capital_question: askModel('What is the capital of France?', 100) } });
  });
  server.registerTool('test_input_required_result_list_roots', { description: 'Asks for roots.' }, (ctx) => {
    const given = inputResponse(ctx.mcpReq.inputResponses, 'client_roots');
    if (given.kind === 'roots') return answer(given.roots.map(({ uri }) => uri).join(' '));
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
}

function registerWithState(server: McpServer): void {
  for (const tool of ['test_input_required_result_request_state', 'test_input_required_result_tampered_state']) {
    server.registerTool(tool, { description: 'Asks for a yes and remembers that it did.' }, async (ctx) => {
      const given = acceptedContent(ctx.mcpReq.inputResponses, 'confirm', confirmation);
      if (given && ctx.mcpReq.requestState<string>() === 'asked') return answer('state-ok');
      return inputRequired({
        inputRequests: { confirm: askConfirmation() },
        requestState: await stateCodec.mint('asked', ctx),
      });
    });
  }
  server.registerTool(
    'test_input_required_result_multiple_inputs',
    { description: 'Asks for three things.' },
    async (ctx) => {
      const { inputResponses } = ctx.mcpReq;
      const who = acceptedContent(inputResponses, 'user_name', name);
      const greeting = inputResponse(inputResponses, 'greeting');
      const roots = inputResponse(inputResponses, 'client_roots');
      if (who && greeting.kind === 'sampling' && roots.kind === 'roots') return answer(`${who.name}: everything came.`);
      return inputRequired({
        inputRequests: {
          user_name: askName('What is your name?'),
          greeting: askModel('Generate a greeting', 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await stateCodec.mint('three', ctx),
      });
    },
  );
  server.registerTool('test_input_required_result_multi_round', { description: 'Asks twice.' }, async (ctx) => {
    const color = z.object({ color: z.string() });
    const { inputResponses } = ctx.mcpReq;
    const round = ctx.mcpReq.requestState<string>();
    const second = acceptedContent(inputResponses, 'step2', color);
    if (round === 'step2' && second) return answer(`Your colour is ${second.color}.`);
    if (round === 'step1' && acceptedContent(inputResponses, 'step1', name)) {
      const message = 'Step 2: What is your favorite color?';
      return inputRequired({
        inputRequests: { step2: inputRequired.elicit({ message, requestedSchema: color }) },
        requestState: await stateCodec.mint('step2', ctx),
      });
    }
    return inputRequired({
      inputRequests: { step1: askName('Step 1: What is your name?') },
      requestState: await stateCodec.mint('step1', ctx),
    });
  });
}

/**
 * Up to 2025-11-25 a server asks over a back channel, which a stateless one has not: the SDK answers these with an error
 * at once, and their scenarios stand in the expected failures.
 */
function registerPushed(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description: 'Asks the client’s model.', inputSchema: z.object({ prompt: z.string() }) },
    ({ prompt }) => inputRequired({ inputRequests: { model: askModel(prompt, 100) } }),
  );
  server.registerTool(
    'test_elicitation',
    { description: 'Asks the person.', inputSchema: z.object({ message: z.string() }) },
    ({ message }) => {
      const requestedSchema = z.object({ username: z.string(), email: z.string() });
      return inputRequired({ inputRequests: { person: inputRequired.elicit({ message, requestedSchema }) } });
    },
  );
  for (const tool of ['test_elicitation_sep1034_defaults', 'test_elicitation_sep1330_enums']) {
    server.registerTool(tool, { description: 'Asks the person.' }, () =>
      inputRequired({ inputRequests: { person: askName('What is your name?') } }),
    );
  }
}
