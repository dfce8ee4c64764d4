/** What each tool of an MCP server needs of an access token, by rules of an allow-list (MCP authorization; RFC 6750 §3.1). */
import { OAuthError } from '../oauth/error.ts';
import type { AccessToken } from './access-token.ts';
import { type Denial, type Needs, require, type ScopeHierarchy } from './require.ts';

/**
 * Tool to what it needs. A name may end in `*`: the exact name comes before every pattern, the longer pattern before the
 * shorter, and `*` alone is for every tool that nothing else names.
 */
export type ToolRules = Readonly<Record<string, Needs>>;

export interface ToolPolicyOptions {
  readonly tools: ToolRules;
  /** Every scope of the resource: together they are the strongest there is. */
  readonly scopes: readonly string[];
  readonly hierarchy?: ScopeHierarchy;
}

type Held = Pick<AccessToken, 'scope' | 'roles' | 'permissions'>;

export interface ToolPolicy {
  /** Why this token may not call this tool; undefined: it may. */
  denial(token: Held, tool: string): Denial | undefined;
  /** The same for what may reach any tool, or nobody knows which: it needs every scope, whatever `*` says. */
  denialOfAny(token: Held): Denial | undefined;
}

export function toolPolicy(options: ToolPolicyOptions): ToolPolicy {
  const { scopes, hierarchy } = options;
  const needsOf = toolNeeds(options);
  return {
    denial(token, tool) {
      const needs = needsOf(tool);
      return needs ? require(token, needs, hierarchy) : unnamed;
    },
    denialOfAny: (token) => require(token, { scope: scopes }, hierarchy),
  };
}

/**
 * The needs of a tool. Undefined where no rule names it exactly and its name is not plain: a target that trims, folds or
 * cuts names (at a null character, say) would run another tool than the one that was judged.
 * A name that a nearer rule has in other letters of case needs every scope and what that rule asks for: MCP tells case
 * apart, and not every target does.
 */
export function toolNeeds({
  tools,
  scopes,
}: Pick<ToolPolicyOptions, 'tools' | 'scopes'>): (tool: string) => Needs | undefined {
  const exact = new Map(Object.entries(tools).filter(([name]) => !name.endsWith('*')));
  const patterns = Object.entries(tools)
    .filter(([name]) => name.endsWith('*'))
    .map(([name, needs]) => ({ start: name.slice(0, -1), needs }))
    .sort((a, b) => b.start.length - a.start.length);
  return (tool) => {
    const named = exact.get(tool);
    if (named || !plainName.test(tool)) return named;
    const found = patterns.find(({ start }) => tool.startsWith(start));
    const lower = tool.toLowerCase();
    const nearer = patterns.find(({ start }) => lower.startsWith(start.toLowerCase()));
    const alike = [...exact].filter(([name]) => name.toLowerCase() === lower).map(([, needs]) => needs);
    if (nearer && nearer.start.length > (found?.start.length ?? -1)) alike.push(nearer.needs);
    if (alike.length > 0) return everything(scopes, alike);
    // Allow-list: forgetting a tool must not open it.
    return found?.needs ?? { scope: scopes };
  };
}

/** What is wrong with the rules, each as a sentence after the path it stands at; empty: nothing. */
export function toolRuleFaults({ tools, scopes, hierarchy = {} }: ToolPolicyOptions): readonly string[] {
  const known = new Set(scopes);
  // A scope nobody can be granted would send every client round and round.
  const unknown = (where: string, asked: Iterable<string>) =>
    [...asked].filter((scope) => !known.has(scope)).map((scope) => `${where}: the scope "${scope}" is not in scopes`);
  return [
    ...Object.entries(tools).flatMap(([name, { scope = [] }]) => [
      ...(/^[^*]*\*?$/.test(name) && name !== ''
        ? []
        : [`tools.${name}: is a tool's name, or the start of one and a * at its end`]),
      ...unknown(`tools.${name}`, [scope].flat()),
    ]),
    ...Object.entries(hierarchy).flatMap(([scope, included]) => unknown('scopeHierarchy', [scope, ...included])),
  ];
}

/** Every scope, and the roles and permissions of these rules. */
function everything(scopes: readonly string[], rules: readonly Needs[]): Needs {
  const permission = rules.flatMap((one) => one.permission ?? []);
  const role = rules.flatMap((one) => one.role ?? []);
  return { scope: scopes, ...(permission.length > 0 && { permission }), ...(role.length > 0 && { role }) };
}

/** Beyond what MCP recommends for tool names (letters, digits, `_-.`), and still of one reading. */
const plainName = /^[\x21-\x7e]{1,256}$/;

const unnamed: Denial = {
  error: new OAuthError('access_denied', 'There is no such tool for you.', { status: 403, reason: 'tool.name' }),
  scope: [],
};
