/** What to paste into which MCP client: the same lines for the terminal and for the page at `/`. */

export interface ConnectLine {
  readonly client: string;
  /** Where the text goes: a shell, or a file. */
  readonly where: string;
  readonly text: string;
}

export function connectLines(name: string, url: string): readonly ConnectLine[] {
  return [
    { client: 'Claude Code', where: 'terminal', text: `claude mcp add --transport http ${name} ${url}` },
    { client: 'VS Code', where: 'terminal', text: `code --add-mcp '${JSON.stringify({ name, type: 'http', url })}'` },
    { client: 'Cursor', where: '~/.cursor/mcp.json', text: JSON.stringify({ mcpServers: { [name]: { url } } }) },
    {
      client: 'MCP Inspector',
      where: 'terminal',
      text: `npx @modelcontextprotocol/inspector --transport http --server-url ${url}`,
    },
    { client: 'mcp-remote', where: 'terminal', text: `npx mcp-remote ${url}` },
  ];
}

/** A short name for a client's list of servers: `/ankify/mcp` is `ankify`. */
export function shortName(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== 'mcp');
  return (parts.at(-1) ?? 'mcp').replace(/[^A-Za-z0-9_-]/g, '-');
}
