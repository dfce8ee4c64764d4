/** What to paste into which assistant, so that it makes decks in the same account. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { CopyLine, ProblemNote } from '../look/parts.tsx';
import { configuration } from '../session/session.ts';
import { words } from '../words/language.ts';

type Way =
  | { readonly client: string; readonly terminal: string }
  | { readonly client: string; readonly file: string; readonly text: string }
  | { readonly client: string; readonly steps: readonly string[] };

function waysFor(url: string): readonly Way[] {
  const { steps } = words.value.connect;
  return [
    { client: 'Claude Code', terminal: `claude mcp add --transport http ankify ${url}` },
    { client: 'Claude.ai', steps: steps.claudeAi },
    { client: 'ChatGPT', steps: steps.chatGpt },
    { client: 'VS Code', terminal: `code --add-mcp '${JSON.stringify({ name: 'ankify', type: 'http', url })}'` },
    {
      client: 'Cursor',
      file: '~/.cursor/mcp.json',
      text: JSON.stringify({ mcpServers: { ankify: { url } } }, undefined, 2),
    },
    { client: 'Gemini CLI', terminal: `gemini mcp add --transport http ankify ${url}` },
    {
      client: 'MCP Inspector',
      terminal: `npx @modelcontextprotocol/inspector --transport http --server-url ${url}`,
    },
  ];
}

export function ConnectPage() {
  const { connect: text } = words.value;
  const url = useSignal<string | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const attempt = useSignal(0);
  useEffect(() => {
    configuration().then(
      ({ mcp_url }) => {
        url.value = mcp_url;
        error.value = undefined;
      },
      (cause: unknown) => {
        error.value = cause;
      },
    );
  }, [attempt.value]);
  return (
    <div class="wide">
      <h1>{text.title}</h1>
      <p class="lead">{text.lead}</p>
      {error.value !== undefined && <ProblemNote error={error.value} retry={() => attempt.value++} />}
      {url.value !== undefined && (
        <>
          <div class="address">
            <p class="label">{text.url}</p>
            <CopyLine text={url.value} label={text.url} />
            <p class="hint">{text.first}</p>
          </div>
          {isLocal(url.value) && <p class="note">{text.local}</p>}
          <div class="ways">
            {waysFor(url.value).map((way) => (
              <WayIn key={way.client} way={way} />
            ))}
          </div>
          <div class="address">
            <p class="label">{text.ask}</p>
            <CopyLine text={text.example} label={text.ask} />
          </div>
        </>
      )}
    </div>
  );
}

function WayIn({ way }: { readonly way: Way }) {
  const { connect: text } = words.value;
  return (
    <section class="way">
      <h2>{way.client}</h2>
      {'steps' in way ? (
        <ol>
          {way.steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
      ) : (
        <>
          <p class="hint">{'file' in way ? text.file(way.file) : text.terminal}</p>
          <CopyLine text={'file' in way ? way.text : way.terminal} label={way.client} />
        </>
      )}
    </section>
  );
}

function isLocal(url: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname);
}
